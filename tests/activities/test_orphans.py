"""Orphans at a site, removed only if nobody else's, on this machine by the text that any site would get."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from howdah.activities.orphans import SiteJobs, is_nowhere, page, refusals
from howdah.activities.schedulers.fork import Fork
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.models.answers import BatchRow, LookForJobs, RemoveOrphans, Seek
from howdah.models.batch import BatchState, EndRecord, Sighting, Witness
from howdah.models.job import Attempt
from howdah.models.sites import ForkLimits, ForkSite
from howdah.testing.processes import end_all, processes_holding, processes_with
from howdah.testing.scheduler_bench import Bench

OURS = "ours-1"


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "scratch"
    end_all(lambda: processes_holding(tmp_path / "scratch"))


@pytest.fixture
async def bench(scratch: Path) -> AsyncIterator[Bench]:
    site = ForkSite(name="here", scratch=str(scratch), limits=ForkLimits(running=8))
    bench = Bench(site, Fork(site), Shell(LocalTransport(site)))
    yield bench
    await bench.shell.close()


@pytest.fixture
def jobs(bench: Bench) -> SiteJobs:
    return SiteJobs(bench.shell, bench.scheduler)


async def row_of(jobs: SiteJobs, attempt: Attempt) -> BatchRow:
    (row,) = [row for row in (await jobs.jobs(LookForJobs())).rows if row.key == attempt.key]
    return row


def alive(attempt: Attempt) -> bool:
    return bool(processes_with("HOWDAH_KEY", attempt.key))


async def test_orphans_are_removed_and_what_cannot_be_stops_no_other(bench: Bench, jobs: SiteJobs) -> None:
    ours = [await bench.submitted("sleep 300", origin=OURS) for _ in range(3)]
    theirs = await bench.submitted("sleep 300", origin="theirs")
    nobodys = await bench.submitted("sleep 300")
    rows = [await row_of(jobs, attempt) for attempt in (*ours, theirs, nobodys)]
    told = await jobs.remove_orphans(RemoveOrphans(origin=OURS, rows=tuple(rows)))
    assert set(told.gone) == {attempt.key for attempt in ours}
    assert set(told.left) == {theirs.key, nobodys.key}
    assert not any(map(alive, ours)) and alive(theirs) and alive(nobodys)
    again = await jobs.remove_orphans(RemoveOrphans(origin=OURS, rows=tuple(rows[:3])))
    assert set(again.gone) == {attempt.key for attempt in ours}, "gone already is as good"


async def test_a_name_that_somebody_else_uses_as_well_is_not_cancelled(
    bench: Bench, jobs: SiteJobs, scratch: Path
) -> None:
    """A cancel goes by name: it would hit both."""
    ours = await bench.submitted("sleep 300", origin=OURS)
    row = await row_of(jobs, ours)
    copy = scratch / "copy"
    await bench.shell.run(f"cp -r {ours.folder} {copy}; echo theirs x >{copy}/.howdah/origin")
    other = await asyncio.create_subprocess_exec(
        *("sleep", "300"), cwd=copy, env={"HOWDAH_KEY": ours.key, "HOWDAH_FOLDER": str(copy)}
    )
    try:
        told = await jobs.remove_orphans(RemoveOrphans(origin=OURS, rows=(row,)))
        assert told.gone == () and str(other.pid) in told.left[ours.key]
        assert alive(ours) and other.returncode is None
    finally:
        other.kill()
        await other.wait()
    assert (await jobs.remove_orphans(RemoveOrphans(origin=OURS, rows=(row,)))).gone == (ours.key,)


async def test_an_origin_that_was_taken_from_the_folder_after_the_look_saves_the_job(
    bench: Bench, jobs: SiteJobs
) -> None:
    attempt = await bench.submitted("sleep 300", origin=OURS)
    row = await row_of(jobs, attempt)
    await bench.shell.run(f"rm {attempt.folder}/.howdah/origin")
    told = await jobs.remove_orphans(RemoveOrphans(origin=OURS, rows=(row,)))
    assert (told.gone, alive(attempt)) == ((), True)


async def test_the_jobs_of_another_batch_system_on_the_same_machine_are_not_listed(
    jobs: SiteJobs, tmp_path: Path
) -> None:
    environments: list[dict[str, str]] = [{"SLURM_JOB_ID": "5"}, {}]
    keys = [f"hd-{tmp_path.name}-{number}" for number in range(2)]
    others = [
        await asyncio.create_subprocess_exec("sleep", "300", cwd=tmp_path, env={"HOWDAH_KEY": key, **environment})
        for key, environment in zip(keys, environments, strict=True)
    ]
    try:
        listed = {row.key: row for row in (await jobs.jobs(LookForJobs())).rows}
        assert keys[0] not in listed
        assert (listed[keys[1]].folder, listed[keys[1]].marked) == (str(tmp_path), False)
    finally:
        for other in others:
            other.kill()
            await other.wait()


async def test_a_job_that_waits_for_a_slot_is_listed_as_queued(scratch: Path) -> None:
    site = ForkSite(name="here", scratch=str(scratch), limits=ForkLimits(running=1))
    bench = Bench(site, Fork(site), Shell(LocalTransport(site)))
    first, second = [await bench.submitted("sleep 300", origin=OURS) for _ in range(2)]
    await bench.running(first)
    states = {row.key: (row.state, row.reason) for row in await bench.jobs()}
    assert states == {first.key: (BatchState.RUNNING, ""), second.key: (BatchState.QUEUED, "Slots")}
    await bench.gone(second)
    await bench.gone(first)


async def test_what_is_sought_and_found_nowhere_is_missing(bench: Bench, jobs: SiteJobs) -> None:
    going = await bench.submitted("sleep 300")
    ended = await bench.submitted("true")
    killed = await bench.submitted("sleep 300")
    await bench.end(ended)
    await bench.running(killed)
    end_all(lambda: processes_with("HOWDAH_KEY", killed.key))
    await bench.shell.run(f"rm -f {killed.folder}/.howdah/end")
    purged = (await bench.prepare("true")).at("/nonexistent")
    sought = await jobs.seek(Seek(attempts=(going, ended, killed, purged)))
    assert set(sought.missing) == {killed.key, purged.key}
    await bench.gone(going)


def row(key: str, native_id: str = "1", **changes: Any) -> BatchRow:
    told = {"native_id": native_id, "key": key, "state": BatchState.RUNNING, "folder": f"/s/{key}", "marked": True}
    return BatchRow.model_validate({**told, "origin": OURS, **changes})


@pytest.mark.parametrize("most", [1, 2, 3, 5, 100])
def test_pages_come_to_all_rows_once_and_keep_a_key_together(most: int) -> None:
    rows = [row(key, str(number)) for number, key in enumerate(["hd-c", "hd-a", "hd-b", "hd-b", "hd-b", "hd-d"])]
    seen: list[BatchRow] = []
    for _ in itertools.count():
        answer = page(rows, seen[-1].key if seen else "", most=most)
        seen += answer.rows
        if not answer.more:
            break
    assert sorted(one.native_id for one in seen) == sorted(one.native_id for one in rows)
    assert [one.key for one in seen] == sorted(one.key for one in rows)


@pytest.mark.parametrize(
    ("wanted", "now", "is_refused"),
    [
        (row("hd-a"), [row("hd-a"), row("hd-b", origin="theirs")], False),
        (row("hd-a"), [row("hd-a", "1"), row("hd-a", "2")], False),
        (row("hd-a"), [], False),
        (row("hd-a"), [row("hd-a"), row("hd-a", "2", folder="/elsewhere")], True),
        (row("hd-a"), [row("hd-a"), row("hd-a", "2", marked=False)], True),
        (row("hd-a"), [row("hd-a", origin="theirs")], True),
        (row("hd-a"), [row("hd-a", origin="")], True),
        (row("hd-a", folder=""), [row("hd-a")], True),
    ],
)
def test_a_key_is_refused_unless_every_batch_job_of_that_name_is_ours(
    wanted: BatchRow, now: list[BatchRow], is_refused: bool
) -> None:
    assert bool(refusals([wanted], now, OURS)) is is_refused
    assert refusals([wanted], now, ""), "without an origin nothing is ours"


ENDED = EndRecord(exit_code=0, started=1, ended=2)


@pytest.mark.parametrize(
    ("sighting", "nowhere"),
    [
        (Sighting(key="k"), True),
        (Sighting(key="k", folder_exists=False), True),
        (Sighting(key="k", folder_exists=False, scratch_exists=False), False),
        (Sighting(key="k", queue=Witness(state=BatchState.LOST)), True),
        (Sighting(key="k", queue=Witness(state=BatchState.RUNNING)), False),
        (Sighting(key="k", queue=Witness(state=BatchState.FAILED)), False),
        (Sighting(key="k", end=ENDED), False),
        (Sighting(key="k", deaf="Slurm does not answer"), False),
    ],
)
def test_a_job_is_nowhere_only_if_everybody_was_asked(sighting: Sighting, nowhere: bool) -> None:
    assert is_nowhere(sighting) is nowhere
