"""Move the same files with howdah, scp, rsync, tar through ssh and rclone, on one sshd, and print a table.

    python -m benchmarks.staging --rounds 3

Everything is on this machine: a private sshd, once directly and once behind a proxy that makes a round trip take
40 ms; data are random and lie on a tmpfs where there is room. In each round every tool has its turn, in an order that
rotates; the median counts. howdah's steps are carried out by a worker process of its own, through its own SSH
transport and with a site's defaults: once on the connection that a worker has anyway, once with the login in the
time. The inputs were recorded before, as `howdah start` does once for all attempts; what that took is told. The
others' programs log in each time, as they have to. What howdah moved is compared byte for byte. Before each turn the
memory that it will need is used once, or whoever comes first would pay for it.

Exit code 0 if all arrived and every target is met.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.staging_data import MIB, differs, many_files, one_file, touch, use_memory
from benchmarks.staging_table import OURS, Course, Result, as_json, table
from benchmarks.staging_tools import TOOLS, Tool, Way
from howdah.cli.memo import Memo
from howdah.cli.recording import find_local, know
from howdah.models.batch import BatchState, BatchStatus
from howdah.models.job import Attempt, Collect, Recorded
from howdah.models.sites import ForkSite
from howdah.steps import batch
from howdah.testing.jobs import attempt_at
from howdah.testing.sshd import PrivateSshd
from howdah.testing.step_worker import StepWorker
from howdah.testing.wire import Wire

WITH_LOGIN = "howdah + login"
DELAY = 0.02
"""Seconds, each way."""
NEEDED = 6 << 30
"""Bytes for the largest input and its copies, with room to spare."""
COPIES = 3
"""Of the input: in the site's cache, in the job's folder, at home."""
ENDED = BatchStatus(state=BatchState.COMPLETED, exit_code=0)


def _large(folder: Path) -> None:
    one_file(folder, 1 << 30)


def _many(folder: Path) -> None:
    many_files(folder, 5000, 4096)


def _middle(folder: Path) -> None:
    one_file(folder, 64 * MIB)


COURSES = (
    Course("1 GiB", _large, "scp", 1.3),
    Course("5000 x 4 KiB", _many, "tar | ssh", 1.5),
    Course("64 MiB, 40 ms", _middle, "rsync", 1.0, far=True),
    Course("5000 x 4 KiB, 40 ms", _many, "rsync", 1.0, far=True, without=("scp", "rclone")),
    Course("1 GiB, 40 ms", _large, "rsync", 1.0, far=True),
)


class Race:
    """One course: its files, the server, and howdah's worker beside the other tools."""

    def __init__(self, course: Course, place: Path, way: Way, cache: str | None) -> None:
        self._course, self._way = course, way
        self._source, self._site, self._home = place / "from" / "data", place / "site", place / "home"
        self._scratch = place / "scratch"
        self._config = ForkSite.model_validate(
            {
                "name": "far",
                "kind": "fork",
                "ssh": way.host,
                "ssh_config": str(way.config),
                "scratch": str(self._scratch),
                **({"cache": cache} if cache else {}),
            }
        )
        self._recorded: tuple[Recorded, ...] = ()
        self.result = Result(course)

    async def run(self, rounds: int, tools: list[Tool]) -> Result:
        await asyncio.to_thread(self._course.fill, self._source)
        await self._record()
        async with StepWorker(self._config) as worker:
            runners = [lambda: self._howdah(worker), *(self._other(tool) for tool in tools)]
            for number in range(rounds):
                for at in range(len(runners)):
                    await runners[(at + number) % len(runners)]()
        await asyncio.to_thread(shutil.rmtree, self._source.parent)
        return self.result

    def _other(self, tool: Tool) -> Callable[[], "asyncio.Future[None]"]:
        async def run() -> None:
            with _fresh(self._site, self._home):
                await self._warm()
                await self._command(tool.name, "in", tool.put(self._way, self._source, self._site))
                await self._command(tool.name, "out", tool.get(self._way, self._site / "data", self._home))

        return lambda: asyncio.ensure_future(run())

    async def _command(self, tool: str, way: str, command: list[str]) -> None:
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        _, errors = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"{command} failed: {errors.decode(errors='replace')[-500:]}")
        self.result.times[tool, way].append(time.perf_counter() - began)

    async def _howdah(self, worker: StepWorker) -> None:
        for tool in (OURS, WITH_LOGIN):
            with _fresh(self._scratch, self._home):
                await asyncio.to_thread(touch, self._source)
                await self._warm()
                attempt = await worker.prepare(self._attempt())
                await self._steps(worker, tool, attempt)

    async def _record(self) -> None:
        began = time.perf_counter()
        found = await find_local(self._attempt().job.spec, self._source.parent)
        known = await know(found, lambda live: None, Memo(self._source.parent / "digests.db"))
        self._recorded = tuple(one.recorded for one in known)
        self.result.recording = time.perf_counter() - began

    async def _warm(self) -> None:
        size = sum(path.stat().st_size for path in self._source.rglob("*") if path.is_file())
        await asyncio.to_thread(use_memory, self._source.parent / "warm", COPIES * size)

    def _attempt(self) -> Attempt:
        source, name = self._source, self._source.name
        files = list(source.iterdir())
        one = f"{name}/{files[0].name}" if len(files) == 1 and files[0].is_file() else name
        inputs = [{"from": one, "to": one}]
        attempt = attempt_at("far", base=str(source.parent), results=str(self._home), inputs=inputs, outputs=[name])
        job = attempt.job.model_copy(update={"recorded": self._recorded})
        return attempt.model_copy(update={"job": job})

    async def _steps(self, worker: StepWorker, tool: str, attempt: Attempt) -> None:
        if tool == WITH_LOGIN:
            await worker.hang_up()
        went = await worker.do(batch.stage_in, attempt)
        await self._same(Path(attempt.folder or "") / "data")
        if tool == WITH_LOGIN:
            await worker.hang_up()
        came = await worker.do(batch.stage_out, Collect(attempt=attempt, status=ENDED))
        await self._same(self._home / "data")
        self.result.times[tool, "in"].append(went.seconds)
        self.result.times[tool, "out"].append(came.seconds)
        self.result.memory = max(self.result.memory, came.memory)

    async def _same(self, there: Path) -> None:
        if told := await asyncio.to_thread(differs, self._source, there):
            raise RuntimeError(f"{self._course.name}: not what was sent:\n{told}")


@contextmanager
def _fresh(*folders: Path) -> Iterator[None]:
    for folder in folders:
        folder.mkdir(parents=True)
    try:
        yield
    finally:
        for folder in folders:
            shutil.rmtree(folder)


def chosen(words: list[str] | None) -> list[Course]:
    """A word picks the course of that name, or else all that have it in their names."""
    names = {course.name for course in COURSES}
    return [
        course
        for course in COURSES
        if words is None or any(word == course.name or (word not in names and word in course.name) for word in words)
    ]


async def run_courses(options: argparse.Namespace, place: Path) -> list[Result]:
    tools = [tool for tool in TOOLS if not tool.missing]
    for tool in TOOLS:
        if tool.missing:
            print(f"{tool.name} is left out: {', '.join(tool.missing)} is not installed here.", file=sys.stderr)
    results: list[Result] = []
    with PrivateSshd(place / "sshd") as server:
        for course in chosen(options.only):
            async with Wire(server.port, delay=DELAY) as wire:
                port = wire.port if course.far else server.port
                way = Way(server.behind(port), server.alias, port, server.user, server.user_key)
                race = Race(course, place / f"course-{len(results)}", way, options.cache)
                print(f"{course.name} ...", file=sys.stderr, flush=True)
                results.append(
                    await race.run(options.rounds, [tool for tool in tools if tool.name not in course.without])
                )
    return results


def place_for_data() -> Path | None:
    """Where data lie: in memory if there is room, for disks are not what is measured."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > NEEDED else None


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="howdah-staging-", dir=place_for_data()) as folder:
        results = asyncio.run(run_courses(options, Path(folder)))
    print(as_json(results) if options.json else "\n".join(table(results)))
    return 0 if all(result.meets_its_target for result in results) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each tool (default %(default)s)")
    parser.add_argument(
        "--only", action="append", metavar="WORD", help="the course of this name, or those that have it in theirs"
    )
    parser.add_argument("--cache", help="howdah's cache at the site: a size, or none (default: the site's default)")
    parser.add_argument("--json", action="store_true", help="all times instead of a table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
