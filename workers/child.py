"""A worker process of the embedded fleet, as its supervisor starts it."""

import argparse
import asyncio
import logging
import os
import sys
import traceback
from asyncio import StreamReader, StreamReaderProtocol
from contextlib import suppress

from howdah.workers.connection import connect_embedded
from howdah.workers.fleet import READY
from howdah.workers.served_sites import read_site
from howdah.workers.serving import serve
from howdah.workers.state import open_state_folder


def main() -> None:
    """Ends without unwinding the interpreter: the SDK's threads make that crash now and then, which hides our code."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    code = 0
    try:
        asyncio.run(_serve(_arguments()))
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--workflows", action="store_true")
    which.add_argument("--site")
    parser.add_argument("--fleet", type=int)
    return parser.parse_args()


async def _serve(told: argparse.Namespace) -> None:
    if told.fleet is not None:
        os.set_inheritable(told.fleet, False)  # jobs that we start on this machine are not of the fleet
    lifeline = await _standard_input()
    address = (await lifeline.readline()).decode().strip()
    if not address:
        return
    stop = asyncio.Event()
    watching = asyncio.create_task(_stop_at_the_end(lifeline, stop))
    folder = open_state_folder()
    sites = [read_site(folder, told.site)] if told.site else []
    client = await connect_embedded(address, patient=True)
    await serve(client=client, sites=sites, workflows=told.workflows, promote=True, stop=stop, ready=_say_ready)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


async def _standard_input() -> StreamReader:
    reader = StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: StreamReaderProtocol(reader), sys.stdin)
    return reader


async def _stop_at_the_end(lifeline: StreamReader, stop: asyncio.Event) -> None:
    """Our supervisor never closes this pipe. Its end means that it was killed, and another fleet may come."""
    await lifeline.read()
    stop.set()


def _say_ready() -> None:
    with suppress(BrokenPipeError):
        os.write(1, READY + b"\n")


if __name__ == "__main__":
    main()
