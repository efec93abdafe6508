"""A site without a machine: it carries out the steps of a batch job in memory, and does as it is told."""

import asyncio
from collections import defaultdict
from uuid import uuid4

from howdah.errors import SiteError
from howdah.models.batch import BatchStatus
from howdah.models.job import Attempt, BatchJob, Cancelled, Collect, Collected, Staged, Watch, Workdir
from howdah.models.states import BatchState
from howdah.steps import batch, carries_out


class FakeSite:
    """Set `fails` to make a step fail, `holds` to make it wait for `release`; push states to `tell`.

    `log` holds what was done, in order: `prepare 1`, `submit 1`, ... with the number of the attempt; `latest` the
    attempt that each step was last asked for.
    """

    def __init__(self) -> None:
        self.name = f"fake-{uuid4().hex[:8]}"
        self.log: list[str] = []
        self.latest: dict[str, Attempt] = {}
        self.fails: dict[str, SiteError] = {}
        self.holds: set[str] = set()
        self.reached: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.release: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._states: asyncio.Queue[BatchStatus] = asyncio.Queue()

    def tell(self, *statuses: BatchStatus | BatchState) -> None:
        """What the next monitors answer, one each."""
        for status in statuses:
            self._states.put_nowait(status if isinstance(status, BatchStatus) else BatchStatus(state=status))

    async def _do(self, what: str, attempt: Attempt) -> None:
        self.log.append(f"{what} {attempt.number}")
        self.latest[what] = attempt
        self.reached[what].set()
        if what in self.holds:
            await self.release[what].wait()
            self.log.append(f"{what} {attempt.number} done")
        if what in self.fails:
            raise self.fails[what]

    @carries_out(batch.prepare)
    async def prepare(self, attempt: Attempt) -> Workdir:
        await self._do("prepare", attempt)
        return Workdir(folder=f"/scratch/{attempt.subfolder}")

    @carries_out(batch.stage_in)
    async def stage_in(self, attempt: Attempt) -> Staged:
        await self._do("stage_in", attempt)
        return Staged(files=len(attempt.job.spec.inputs), bytes=0)

    @carries_out(batch.submit)
    async def submit(self, attempt: Attempt) -> BatchJob:
        submitting = asyncio.ensure_future(self._do("submit", attempt))
        try:
            await asyncio.shield(submitting)
        except asyncio.CancelledError:
            await submitting
        return BatchJob(native_id=str(100 + attempt.number))

    @carries_out(batch.monitor)
    async def monitor(self, watch: Watch) -> BatchStatus:
        await self._do("monitor", watch.attempt)
        return await self._states.get()

    @carries_out(batch.stage_out)
    async def stage_out(self, collect: Collect) -> Collected:
        await self._do("stage_out", collect.attempt)
        return Collected()

    @carries_out(batch.cancel)
    async def cancel(self, attempt: Attempt) -> Cancelled:
        await self._do("cancel", attempt)
        return Cancelled()

    @carries_out(batch.cleanup)
    async def cleanup(self, attempt: Attempt) -> None:
        await self._do("cleanup", attempt)
