"""The worker process that tests and benchmarks measure and kill."""

from pathlib import Path

import pytest

from howdah.models.causes import FailureCause
from howdah.models.sites import ForkSite
from howdah.steps import batch
from howdah.testing.jobs import attempt_at
from howdah.testing.step_worker import StepFailed, StepWorker, WorkerDied


@pytest.fixture
def site(tmp_path: Path) -> ForkSite:
    return ForkSite(name="here", scratch=str(tmp_path / "scratch"))


async def test_a_worker_carries_out_steps_and_tells_why_one_failed(site: ForkSite, tmp_path: Path) -> None:
    (tmp_path / "input").write_text("data")
    async with StepWorker(site) as worker:
        good = await worker.prepare(attempt_at("here", base=str(tmp_path), inputs=["input"]))
        done = await worker.do(batch.stage_in, good)
        assert (done.answer.files, done.answer.bytes) == (1, 4)
        assert (Path(good.folder or "") / "input").read_text() == "data"
        await worker.hang_up()
        assert await worker.prepare(good) == good
        await worker.do(batch.cleanup, good)
        assert not Path(good.folder or "").exists()
        bad = await worker.prepare(attempt_at("here", base=str(tmp_path), inputs=["missing"]))
        with pytest.raises(StepFailed) as caught:
            await worker.do(batch.stage_in, bad)
    assert caught.value.failure.cause is FailureCause.INPUT_MISSING
    assert not caught.value.transient


async def test_who_asks_a_killed_worker_hears_that_it_died(site: ForkSite) -> None:
    async with StepWorker(site) as worker:
        worker.kill()
        with pytest.raises(WorkerDied):
            await worker.prepare(attempt_at("here"))
