"""Whether the workers of this machine are at work: `python -m howdah.workers.health` ends with 0 if so.

For the healthcheck of a container, in which one worker process runs under a host name of its own.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Iterable

from howdah.errors import HowdahError
from howdah.models.answers import WorkerRow
from howdah.workers.connection import connect
from howdah.workers.listing import RUNNING, STOPPING, list_workers


def illness(rows: Iterable[WorkerRow], host: str) -> str:
    """Why this host is not healthy; empty when it is. The server hears of every worker each ten seconds.

    What was lost is a process before this one in the same place, so long as another one runs.
    """
    states = {row.status for row in rows if row.host == host}
    if not states:
        return f"The server knows of no worker on {host}."
    return "" if states & {RUNNING, STOPPING} else f"The server has not heard of the workers on {host} for a while."


async def main() -> int:
    try:
        connection = await connect()
        ill = illness(await list_workers(connection.client), socket.gethostname())
    except HowdahError as error:
        ill = error.message
    if ill:
        sys.stderr.write(f"{ill}\n")
    return 1 if ill else 0


if __name__ == "__main__":
    code = asyncio.run(main())
    sys.stderr.flush()
    os._exit(code)  # threads of the SDK that still hold what they ran on crash an ordinary end now and then
