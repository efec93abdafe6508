"""Transfers that are killed on their way, again and again: what is there must always be right, and all is in the end.

    async with Wire(server.port) as wire:
        site = ...  # one whose ssh_config is server.behind(wire.port)
        async with Disturbed(StagingIn(site, folder), site, wire, seed=1) as disturbed:
            kill = await disturbed.one("cut")

A kill is timed by bytes: it comes when so many have passed the wire, a random number of what an undisturbed
transfer takes.
"""

import asyncio
import random
import shutil
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from howdah.models.batch import BatchState, BatchStatus
from howdah.models.job import Attempt, Collect
from howdah.models.sites import Site
from howdah.steps import batch
from howdah.testing.jobs import attempt_at
from howdah.testing.step_worker import StepFailed, StepWorker, WorkerDied
from howdah.testing.wire import Wire

How = Literal["killed", "cut"]
"""The worker process by SIGKILL, or every connection by a reset."""
TRIES = 6
"""In which a transfer has to come through once nobody disturbs it any more."""
ENDED = BatchStatus(state=BatchState.COMPLETED, exit_code=0)
OURS = ".howdah"
"""Names that begin so are of transfers under way, never of somebody's files."""


class Wrong(Exception):
    """A file has its final name and not its final content, or something is missing or left over in the end."""


@dataclass(frozen=True)
class Kill:
    """One transfer with one kill. `after` and `again` in bytes: when it came, and what it cost on the wire."""

    how: How
    after: int
    again: int


class Transfer(Protocol):
    """One tree that is moved over and over."""

    @property
    def there(self) -> Path:
        """The folder the tree arrives in."""
        ...

    async def begin(self, worker: StepWorker) -> None:
        """Make it so that nothing is there yet."""
        ...

    async def go(self, worker: StepWorker) -> None:
        """Move what is not there yet."""
        ...

    def look(self) -> None:
        """Raises Wrong when a file has a final name without the final content."""
        ...

    def check(self) -> None:
        """Raises Wrong when it is not all there, and nothing else."""
        ...


class Sums:
    """The sums of a tree, to compare others with."""

    def __init__(self, root: Path) -> None:
        self._sums = dict(_sums(root))

    def look(self, root: Path) -> None:
        for path, digest in _sums(root):
            if not _is_ours(path) and self._sums.get(path) != digest:
                raise Wrong(f"{root / path} has a final name and not the final content.")

    def check(self, root: Path) -> None:
        if (found := dict(_sums(root))) != self._sums:
            raise Wrong(
                f"In {root} these are wrong, missing or left over: {sorted(_differing(found, self._sums))[:20]}"
            )


class StagingIn:
    """Of the folder `source` into the site, which is on this machine and nobody else's."""

    def __init__(self, site: Site, source: Path) -> None:
        self._site, self._source, self._sums = site, source, Sums(source)
        self._attempt: Attempt | None = None

    @property
    def there(self) -> Path:
        return Path(self._attempt.folder or "" if self._attempt else "/nonexistent") / self._source.name

    async def begin(self, worker: StepWorker) -> None:
        await asyncio.to_thread(shutil.rmtree, self._site.scratch, ignore_errors=True)
        given = attempt_at(self._site.name, base=str(self._source.parent), inputs=[self._source.name])
        self._attempt = await worker.prepare(given)

    async def go(self, worker: StepWorker) -> None:
        assert self._attempt is not None  # noqa: S101  # begin was awaited
        await worker.do(batch.stage_in, self._attempt)

    def look(self) -> None:
        self._sums.look(self.there)
        for path, digest in _sums(Path(self._site.scratch) / ".cache" / "objects"):
            if Path(path).name != digest:
                raise Wrong(f"The cache's {path} has another content.")

    def check(self) -> None:
        self._sums.check(self.there)
        if left := list(Path(self._site.scratch).rglob("*.part")):
            raise Wrong(f"These were left over: {left[:20]}")


class StagingOut:
    """Of the folder `source`, which is put into the site once, to `results`."""

    def __init__(self, site: Site, source: Path, results: Path) -> None:
        self._site, self._source, self._results, self._sums = site, source, results, Sums(source)
        self._attempt: Attempt | None = None

    @property
    def there(self) -> Path:
        return self._results / self._source.name

    async def begin(self, worker: StepWorker) -> None:
        await asyncio.to_thread(shutil.rmtree, self._results, ignore_errors=True)
        if self._attempt is None:
            name = self._source.name
            base, results = str(self._source.parent), str(self._results)
            given = attempt_at(self._site.name, base=base, results=results, inputs=[name], outputs=[name])
            self._attempt = await worker.prepare(given)
            await worker.do(batch.stage_in, self._attempt)

    async def go(self, worker: StepWorker) -> None:
        assert self._attempt is not None  # noqa: S101  # begin was awaited
        await worker.do(batch.stage_out, Collect(attempt=self._attempt, status=ENDED))

    def look(self) -> None:
        self._sums.look(self.there)

    def check(self) -> None:
        self._sums.check(self.there)


class Disturbed:
    """Carries transfers out, each with one kill. `site` leads through `wire`; `seed` decides when the kills come."""

    def __init__(self, transfer: Transfer, site: Site, wire: Wire, *, seed: int) -> None:
        self._transfer, self._site, self._wire = transfer, site, wire
        self._random = random.Random(seed)  # noqa: S311  # no secret
        self._worker = StepWorker(site)
        self._next = StepWorker(site)
        self._starting: asyncio.Task[None] | None = None
        self._told = ""
        self.usual = 0
        """Bytes of a transfer that nobody disturbs, both ways together."""

    async def __aenter__(self) -> Self:
        await self._worker.start()
        await self._transfer.begin(self._worker)
        before = self._wire.total
        await self._transfer.go(self._worker)
        self.usual = self._wire.total - before
        await asyncio.to_thread(self._transfer.check)
        self._start_next()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._wire.forget()
        if self._starting is not None:
            await asyncio.gather(self._starting, return_exceptions=True)
        for worker in (self._worker, self._next):
            worker.kill()
            await worker.stop()

    async def one(self, how: How) -> Kill:
        """Raises Wrong, StepFailed when something is to be mended by a person."""
        while True:
            await self._transfer.begin(self._worker)
            before, after = self._wire.total, self._random.randrange(1, self.usual)
            if await self._is_disturbed(how, after):
                break
        await asyncio.to_thread(self._transfer.look)
        if how == "killed":
            await self._replace_worker()
        await self._come_through()
        await asyncio.to_thread(self._transfer.check)
        return Kill(how, after, max(0, self._wire.total - before - self.usual))

    async def _is_disturbed(self, how: How, after: int) -> bool:
        """False when the transfer was faster; that happens near its end."""
        self._wire.after(after, self._worker.kill if how == "killed" else self._wire.cut)
        disturbed = not await self._passed(self._transfer.go(self._worker))
        self._wire.forget()
        return disturbed

    async def _come_through(self) -> None:
        for _ in range(TRIES):
            if await self._passed(self._transfer.go(self._worker)):
                return
            await asyncio.to_thread(self._transfer.look)
        raise Wrong(f"It did not come through in {TRIES} tries, though nobody disturbed it any more; {self._told}.")

    async def _passed(self, work: Awaitable[None]) -> bool:
        try:
            await work
        except WorkerDied:
            self._told = "the worker died"
            return False
        except StepFailed as error:
            if not error.transient:
                raise
            self._told = f"the last one said: {error} {error.failure.scheduler_says}"
            return False
        return True

    def _start_next(self) -> None:
        """Python takes a second to start; meanwhile the worker at hand does its work."""
        self._next = StepWorker(self._site)
        self._starting = asyncio.create_task(self._next.start())

    async def _replace_worker(self) -> None:
        await self._worker.stop()
        assert self._starting is not None  # noqa: S101  # __aenter__ began it
        await self._starting
        self._worker = self._next
        self._start_next()


def _sums(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(root.rglob("*")):
        try:
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as stream:
                    yield str(path.relative_to(root)), file_digest(stream, "sha256").hexdigest()
        except FileNotFoundError:  # what is not in place yet may go at any time
            continue


def _differing(found: Mapping[str, str], wanted: Mapping[str, str]) -> set[str]:
    return {path for path in {*found, *wanted} if found.get(path) != wanted.get(path)}


def _is_ours(path: str) -> bool:
    return any(part.startswith(OURS) for part in Path(path).parts)
