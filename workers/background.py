"""The supervisor as a process of its own, detached from whoever started it.

It answers its starter with one line of JSON on standard output: `ready`, `running` (another one is) or an error.
"""

import asyncio
import json
import os
import signal
import sys
import time

from howdah.errors import ConfigError
from howdah.workers.embedded.locks import AlreadyRunning
from howdah.workers.embedded.supervisor import supervise
from howdah.workers.state import open_state_folder

READY, RUNNING = "ready", "running"


def main() -> None:
    _detach()
    folder = open_state_folder()
    try:
        asyncio.run(supervise(folder, say=_say, ready=lambda server: _answer({"state": READY})))
        _answer({"message": "The embedded server was ended before it was ready.", "hint": "howdah up"})
    except AlreadyRunning:
        _answer({"state": RUNNING})
    except ConfigError as error:
        _say(error.message)
        _answer({"message": error.message, "hint": error.hint})


def _detach() -> None:
    """A child of nobody, in a session of its own: it outlives the terminal, and nobody must collect it."""
    if os.fork():
        os._exit(0)
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.chdir("/")


def _answer(answer: dict[str, str]) -> None:
    """Said once; then standard output is closed, so that the starter sees its end."""
    line = json.dumps(answer) + "\n"
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.write(1, line.encode())
    except BrokenPipeError:
        _say("whoever started this did not wait for it")
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
