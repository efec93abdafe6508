"""A controller that is down for a while: what can go on does, the rest waits, what was cancelled never runs."""

import asyncio
from pathlib import Path

import pytest

from howdah.activities.schedulers.slurm import Slurm
from howdah.activities.transports.local import LocalTransport
from howdah.models.desk import Part
from howdah.models.job import Watch
from howdah.models.states import BatchState
from tests.activities.stand import Stand, again, wait_for
from tests.schedulers.conftest import StartSlurm


@pytest.mark.slurm
async def test_while_the_controller_is_down_ends_are_seen_submits_wait_and_what_is_cancelled_never_runs(
    start_slurm: StartSlurm, scratch: Path, tmp_path: Path
) -> None:
    slurm = start_slurm(MessageTimeout="2")
    site = slurm.site("cluster", str(scratch))
    stand = Stand(site, LocalTransport(site), Slurm(site))
    ledger = tmp_path / "ledger"
    body = f"echo $HOWDAH_KEY >>{ledger}; until [ -e {tmp_path}/over ]; do sleep 0.05; done"
    running, cancelled, *waiting = await stand.prepared(5, body)
    await stand.steps.submit(running)
    await wait_for(ledger)
    slurm.kill_controller()

    submits = asyncio.gather(*(again(stand.steps.submit, attempt) for attempt in waiting))
    await stand.tried(1, Part.SCHEDULER)
    cancel = asyncio.create_task(again(stand.steps.cancel, cancelled))
    (tmp_path / "over").touch()
    watch = Watch(attempt=running, native_id="1", known=BatchState.RUNNING, until_end=True)
    assert (await stand.steps.monitor(watch)).state is BatchState.COMPLETED
    await wait_for(Path(cancelled.folder or "") / ".howdah" / "cancel")
    assert not submits.done()
    assert not cancel.done()

    slurm.start_controller()
    await submits
    await cancel
    for attempt in waiting:
        watch = Watch(attempt=attempt, native_id="1", known=BatchState.QUEUED, until_end=True)
        assert (await stand.steps.monitor(watch)).state is BatchState.COMPLETED
    assert sorted(ledger.read_text().split()) == sorted(attempt.key for attempt in (running, *waiting))
    assert stand.gate.troubles == ()
    await stand.close()
