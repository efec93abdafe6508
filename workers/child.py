"""A worker process of the embedded fleet, as its supervisor starts it.

The supervisor of a later release starts it too, from a copy of this code, as long as experiments are pinned to it. So
what it is told (`--workflows`, `--site`, `--bundle`, `--fleet`, the address on standard input) and the `ready` that it
answers keep their meaning. `--steward`, `--trial` and `--promote` are only said by a supervisor of the same build.
"""

import argparse
import asyncio
import os
import sys
from asyncio import StreamReader, StreamReaderProtocol
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from temporalio.client import Client

from howdah.workers.connection import connect_embedded
from howdah.workers.embedded.fleet import READY
from howdah.workers.embedded.served_sites import read_site
from howdah.workers.embedded.steward import attend
from howdah.workers.embedded.word import encode
from howdah.workers.serving import serve
from howdah.workers.state import open_state_folder
from howdah.workers.telemetry import observing
from howdah.workers.telemetry.words import last_words
from howdah.workers.versioning.builds import package_folder
from howdah.workers.versioning.versions import build_id

Answer = Callable[[bytes], None]


def main() -> None:
    """Ends without unwinding the interpreter: the SDK's threads make that crash now and then, which hides our code."""
    told, code = _arguments(), 0
    answers = _keep_to_ourselves()
    _give_back_the_path()
    try:
        folder = open_state_folder()
        observing.begin(fleet=folder, serves=told.site or told.bundle or "workflows")
        asyncio.run(_serve(told, partial(_answer, answers)))
        observing.end(fleet=folder)
    except BaseException as error:
        last_words(error)
        code = 1
    sys.stderr.flush()
    os._exit(code)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--workflows", action="store_true")
    which.add_argument("--site")
    which.add_argument("--bundle")
    parser.add_argument("--steward", action="store_true", help="tell what is pinned to which build")
    parser.add_argument("--trial", action="store_true", help="become the current build only after a trial")
    parser.add_argument("--promote", action="store_true", help="become the current build of the bundle")
    parser.add_argument("--fleet", type=int)
    return parser.parse_args()


def _give_back_the_path() -> None:
    """Jobs on this machine inherit our variables: they are to find what their user has there, not this copy."""
    ours, *theirs = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if ours == str(package_folder().parent):
        os.environ["PYTHONPATH"] = os.pathsep.join(theirs)
    if not os.environ.get("PYTHONPATH"):
        os.environ.pop("PYTHONPATH", None)


def _keep_to_ourselves() -> int:
    """Standard output, where the supervisor listens. Whatever a bundle prints goes to the log."""
    sys.stdout.flush()
    answers = os.dup(1)
    os.dup2(2, 1)
    return answers


async def _serve(told: argparse.Namespace, answer: Answer) -> None:
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
    polling = asyncio.Event()
    besides = [watching]
    if told.steward:
        besides.append(asyncio.create_task(_be_steward(client, polling, answer, trial=told.trial)))
    await serve(
        client=client,
        sites=sites,
        workflows=told.workflows,
        bundles=[told.bundle] if told.bundle else [],
        promote=told.promote,
        stop=stop,
        ready=lambda: _say_ready(polling, answer),
    )
    for task in besides:
        task.cancel()
    await asyncio.gather(*besides, return_exceptions=True)


async def _be_steward(client: Client, polling: asyncio.Event, answer: Answer, *, trial: bool) -> None:
    """What nobody expected ends the process, which is started again: without a steward nothing is ever promoted."""
    await polling.wait()
    try:
        await attend(client, build_id(), trial=trial, tell=lambda word: answer(encode(word)))
    except Exception as error:
        last_words(error)
        sys.stderr.flush()
        os._exit(1)


async def _standard_input() -> StreamReader:
    reader = StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: StreamReaderProtocol(reader), sys.stdin)
    return reader


async def _stop_at_the_end(lifeline: StreamReader, stop: asyncio.Event) -> None:
    """Our supervisor never closes this pipe. Its end means that it was killed, and another fleet may come."""
    await lifeline.read()
    stop.set()


def _say_ready(polling: asyncio.Event, answer: Answer) -> None:
    answer(READY + b"\n")
    polling.set()


def _answer(answers: int, line: bytes) -> None:
    with suppress(BrokenPipeError):
        os.write(answers, line)


if __name__ == "__main__":
    main()
