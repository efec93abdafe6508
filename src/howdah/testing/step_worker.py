"""A worker process without a Temporal server, to be measured and to be killed: it carries out single steps at a site.

    async with StepWorker(site) as worker:
        attempt = await worker.prepare(attempt)
        done = await worker.do(batch.stage_in, attempt)
        worker.kill()

The steps are a real worker's, composed in the same way; asked and answered in JSON, a line each.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, TypeAdapter
from temporalio.exceptions import ApplicationError

from howdah.models.job import Attempt
from howdah.models.progress import Failure
from howdah.models.sites import Site
from howdah.plugins import SiteKind, find
from howdah.steps import Step, batch
from howdah.workers.composition import site_queues, step_name

LONGEST_LINE = 64 << 20
AWAY = "away"
"""What is asked to let go of the connection; the next step logs in again."""

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out")


class StepFailed(Exception):
    """A step ended with an error. `transient`: Temporal would try again."""

    def __init__(self, failure: Failure, *, transient: bool) -> None:
        super().__init__(failure.message)
        self.failure, self.transient = failure, transient


class WorkerDied(Exception):
    """The process ended before it answered."""


@dataclass(frozen=True)
class Timed(Generic[Out]):
    """What a step answered, the seconds it took, and the most memory (bytes) that its process ever had."""

    answer: Out
    seconds: float
    memory: int


class StepWorker:
    """Use as an asynchronous context manager, or `start` and `stop`. Many steps may be asked for at once."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = count()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Returns when the process is ready to carry out steps; it has not logged in anywhere yet."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            __name__,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
        )
        self._listening = asyncio.create_task(self._listen(self._process))
        await self._ask({"site": self._site.model_dump(mode="json")})

    async def stop(self) -> None:
        if self._process is None or self._listening is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
            with suppress(ConnectionError):  # of one that was killed
                await self._process.stdin.wait_closed()
        await self._listening
        self._process = self._listening = None

    def kill(self) -> None:
        """SIGKILL. Who waits for a step gets WorkerDied."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def do(self, step: Step[In, Out], given: In) -> Timed[Out]:
        """Raises StepFailed, or WorkerDied."""
        said = await self._ask({"step": step.name, "given": given.model_dump(mode="json")})
        return Timed(TypeAdapter(step.gives).validate_python(said["answer"]), said["seconds"], said["memory"])

    async def prepare(self, attempt: Attempt) -> Attempt:
        """With its folder, which is made."""
        return attempt.at((await self.do(batch.prepare, attempt)).answer.folder)

    async def hang_up(self) -> None:
        """Let go of the connection; the next step logs in again."""
        await self._ask({"step": AWAY})

    async def _ask(self, what: dict[str, Any]) -> dict[str, Any]:
        if self._process is None or self._process.stdin is None or self._process.returncode is not None:
            raise WorkerDied
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        with suppress(ConnectionError):
            self._process.stdin.write(json.dumps({"id": number, **what}).encode() + b"\n")
            await self._process.stdin.drain()
        said: dict[str, Any] = await answer
        if "failure" in said:
            raise StepFailed(Failure.model_validate(said["failure"]), transient=said["transient"])
        return said

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101  # it is a pipe
        async for line in process.stdout:
            said = json.loads(line)
            self._asked.pop(said["id"]).set_result(said)
        await process.wait()
        while self._asked:
            _, asked = self._asked.popitem()
            if not asked.done():
                asked.set_exception(WorkerDied())


class _Steps:
    """The other side, in the process of its own."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._steps = {step.name: step for step in (batch.prepare, batch.stage_in, batch.stage_out, batch.cleanup)}

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[dict[str, Callable[..., Any]]]:
        async with site_queues(self._site) as here:
            yield {step_name(activity): activity for queue in here.queues for activity in queue.activities}

    async def carry_out(self, activities: dict[str, Callable[..., Any]], asked: dict[str, Any]) -> None:
        began = time.perf_counter()
        try:
            given = self._steps[asked["step"]].takes.model_validate(asked["given"])
            answer = await activities[asked["step"]](given)
        except ApplicationError as error:
            failure = error.details[0].model_dump(mode="json")
            _say(asked, {"failure": failure, "transient": not error.non_retryable})
        else:
            seconds = time.perf_counter() - began
            _say(asked, {"answer": answer and answer.model_dump(mode="json"), "seconds": seconds})


def _say(asked: dict[str, Any], said: dict[str, Any]) -> None:
    line = json.dumps({"id": asked["id"], "memory": _peak(), **said})
    os.write(sys.stdout.fileno(), line.encode() + b"\n")


def _peak() -> int:
    """getrusage(2) counts from before exec, and so the parent's memory too; VmHWM does not."""
    with suppress(OSError, StopIteration, ValueError), open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123  # no Path is gained
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) * 1024
    return 0


async def _serve() -> None:
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    first = json.loads(await reader.readline())
    kind = find(SiteKind, first["site"]["kind"], what="kind of site")
    steps = _Steps(kind.config.model_validate(first["site"]))
    _say(first, {})
    while not reader.at_eof():
        async with steps.connected() as activities, asyncio.TaskGroup() as group:
            running: list[asyncio.Task[None]] = []
            while line := await reader.readline():
                asked = json.loads(line)
                if asked["step"] == AWAY:
                    break
                running.append(group.create_task(steps.carry_out(activities, asked)))
            else:  # whoever asked is gone
                for step in running:
                    step.cancel()
                return
        _say(asked, {})


if __name__ == "__main__":
    asyncio.run(_serve())
