"""Outages of a real site: how often it is tried, who waits, and that everything goes on by itself."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from howdah.activities import folder, line
from howdah.activities.circuit import Pace
from howdah.activities.schedulers import Question
from howdah.activities.schedulers.fork import Fork
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.ssh import SshTransport
from howdah.activities.transports.ssh_login import Timing
from howdah.errors import NoSlot, SiteError, SiteUnreachable
from howdah.models.answers import Nothing
from howdah.models.causes import FailureCause
from howdah.models.desk import Part
from howdah.models.job import BatchJob, Watch
from howdah.models.sites import ForkSite
from howdah.models.states import BatchState
from howdah.testing.jobs import attempt_at
from howdah.testing.sshd import PrivateSshd
from howdah.testing.wire import Wire
from tests.activities.stand import SWIFT, Stand, again, wait_for

NEVER = Pace(first=3600, longest=3600, unwelcome=3600, very_unwelcome=3600, settle=0.0)
QUICK = Timing(keepalive=0.5, keepalives=2, connect=5, login=5, crowded=20)


Build = Callable[..., Stand]


@pytest.fixture
async def build(tmp_path: Path) -> AsyncIterator[Build]:
    async with AsyncExitStack() as stands:

        def make(
            config: Path | None = None,
            *,
            pace: Pace = SWIFT,
            scratch: Path = tmp_path / "scratch",
            submitted: int = 50,
        ) -> Stand:
            limits = {"running": 50, "submitted": submitted, "poll": 0.1, "grace": 5}
            site = ForkSite.model_validate({"name": "far", "scratch": str(scratch), "limits": limits})
            if config is None:
                stand = Stand(site, LocalTransport(site), Fork(site), pace)
            else:
                site = site.model_copy(update={"ssh": "private", "ssh_config": str(config)})
                stand = Stand(site, SshTransport(site, timing=QUICK), Fork(site), pace)
            stands.push_async_callback(stand.close)
            return stand

        yield make


@pytest.mark.sshd
async def test_while_a_site_is_away_one_connection_is_tried_at_a_time_and_then_all_go_on(
    sshd: PrivateSshd, build: Build
) -> None:
    async with Wire(sshd.port) as wire:
        stand = build(sshd.behind(wire.port))
        attempts = stand.attempts(25)
        await stand.steps.prepare(attempts[0])
        wire.turn_away()
        wire.cut()
        before = wire.connections
        steps = [asyncio.create_task(again(stand.steps.prepare, attempt)) for attempt in attempts]
        await stand.tried(6)
        assert wire.connections - before <= stand.gate.troubles[0].tries + 1
        assert not any(step.done() for step in steps)
        assert stand.gate.troubles[0].cause is FailureCause.SITE_UNREACHABLE
        await wire.accept()
        found = await asyncio.gather(*steps)
        assert all(Path(workdir.folder).is_dir() for workdir in found)
        assert stand.gate.troubles == ()


@pytest.mark.sshd
async def test_jobs_that_end_while_their_site_is_away_are_all_known_after_one_look(
    sshd: PrivateSshd, build: Build, tmp_path: Path
) -> None:
    async with Wire(sshd.port) as wire:
        stand = build(sshd.behind(wire.port))
        jobs = await stand.prepared(8, f"until [ -e {tmp_path}/over ]; do sleep 0.02; done")
        for job in jobs:
            await stand.steps.submit(job)
        watches = [Watch(attempt=job, native_id="1", known=BatchState.RUNNING, until_end=True) for job in jobs]
        monitors = [asyncio.ensure_future(stand.steps.monitor(watch)) for watch in watches]
        wire.turn_away()
        wire.cut()
        await stand.tried(2)
        (tmp_path / "over").touch()
        for job in jobs:
            await wait_for(Path(job.folder or "") / ".howdah" / "end")
        looks = len(stand.looks)
        await wire.accept()
        statuses = await asyncio.gather(*monitors)
        assert {(status.state, status.exit_code) for status in statuses} == {(BatchState.COMPLETED, 0)}
        assert stand.looks[looks] == len(jobs)


@pytest.mark.sshd
async def test_refused_logins_are_few_and_a_person_who_checks_the_site_opens_it(
    sshd: PrivateSshd, build: Build
) -> None:
    stand = build(sshd.ssh_config, pace=NEVER)
    allowed = (sshd.folder / "authorized_keys").read_text()
    sshd.authorize()
    steps = [asyncio.create_task(again(stand.steps.prepare, attempt)) for attempt in stand.attempts(20)]
    await stand.tried(1)
    with pytest.raises(ApplicationError, match="Permission denied"):
        await stand.questions.check(Nothing())
    assert sshd.connections == 2
    assert stand.gate.troubles[0].needs_a_person
    sshd.authorize(allowed)
    assert all(check.ok for check in (await stand.questions.check(Nothing())).checks)
    await asyncio.gather(*steps)
    assert sshd.connections == 3


@pytest.mark.sshd
async def test_a_new_key_file_is_tried_at_once(sshd: PrivateSshd, build: Build) -> None:
    stand = build(sshd.ssh_config, pace=NEVER)
    good = sshd.user_key.read_bytes()
    sshd.user_key.write_text("not a key")
    step = asyncio.create_task(again(stand.steps.prepare, stand.attempts(1)[0]))
    await stand.tried(1)
    sshd.user_key.write_bytes(good)
    assert (await step).folder


@pytest.mark.sshd
async def test_a_login_shell_that_is_broken_keeps_the_site_waiting_and_not_each_job(
    sshd: PrivateSshd, build: Build
) -> None:
    stand = build(sshd.ssh_config)
    broken = sshd.home / ".bashrc"
    broken.write_text("exit 0\n")
    step = asyncio.create_task(again(stand.steps.prepare, stand.attempts(1)[0]))
    await stand.tried(3)
    assert stand.gate.troubles[0].cause is FailureCause.CONFIGURATION
    broken.unlink()
    assert (await step).folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a tmpfs (Debian: mount)")
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m,nr_inodes=200", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    return filler


async def test_a_full_disk_keeps_the_site_waiting_and_all_go_on_when_there_is_room(
    small_disk: Path, build: Build
) -> None:
    stand = build(scratch=small_disk / "scratch")
    (small_disk / "scratch").mkdir()
    filler = fill(small_disk)
    steps = [asyncio.create_task(again(stand.steps.prepare, attempt)) for attempt in stand.attempts(5)]
    await stand.tried(3)
    trouble = stand.gate.troubles[0]
    assert (trouble.part, trouble.cause) == (Part.SCRATCH, FailureCause.QUOTA)
    assert "No space left" in trouble.message
    assert not any(step.done() for step in steps)
    filler.unlink()
    await asyncio.gather(*steps)
    assert stand.gate.troubles == ()


async def test_an_input_too_big_for_the_disk_waits_for_its_own_operator(
    small_disk: Path, build: Build, tmp_path: Path
) -> None:
    stand = build(scratch=small_disk / "scratch")
    (tmp_path / "huge").write_bytes(os.urandom(4 << 20))
    attempt = attempt_at("far", base=str(tmp_path), inputs=["huge"])
    attempt = attempt.at((await stand.steps.prepare(attempt)).folder)
    with pytest.raises(ApplicationError) as caught:
        await stand.steps.stage_in(attempt)
    assert caught.value.non_retryable
    assert caught.value.type == FailureCause.QUOTA
    assert stand.gate.troubles == ()


async def test_a_scratch_that_cannot_be_written_to_is_everybodys_trouble(tmp_path: Path, build: Build) -> None:
    (tmp_path / "file").touch()
    stand = build(scratch=tmp_path / "file" / "scratch")
    step = asyncio.create_task(again(stand.steps.prepare, stand.attempts(1)[0]))
    await stand.tried(2)
    assert (stand.gate.troubles[0].part, stand.gate.troubles[0].cause) == (Part.SCRATCH, FailureCause.CONFIGURATION)
    (tmp_path / "file").unlink()
    assert (await step).folder


async def test_a_look_for_room_leaves_nothing_behind(tmp_path: Path, build: Build) -> None:
    stand = build()
    await stand.shell.ask(folder.check_room(stand.site))
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_a_site_without_a_slot_is_asked_again_when_a_job_has_ended(
    tmp_path: Path, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "SOON", 0.05)
    stand = build(submitted=1)
    jobs = await stand.prepared(2, f"until [ -e {tmp_path}/over ]; do sleep 0.02; done")
    await stand.steps.submit(jobs[0])
    second = asyncio.ensure_future(stand.steps.submit(jobs[1]))
    watch = Watch(attempt=jobs[0], native_id="1", known=BatchState.RUNNING, until_end=True)
    first = asyncio.ensure_future(stand.steps.monitor(watch))
    (tmp_path / "over").touch()
    assert (await first).state is BatchState.COMPLETED
    assert (await second).native_id


async def test_a_submission_that_is_cancelled_and_finds_no_slot_does_not_stand_in_line(
    tmp_path: Path, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = build()
    (attempt,) = await stand.prepared(1)

    def refused(_: str) -> BatchJob:
        raise NoSlot("The site is full.")

    script = f": >{tmp_path}/asked; until [ -e {tmp_path}/over ]; do sleep 0.02; done"
    monkeypatch.setattr(stand.steps.scheduler, "submit", lambda _: Question(script, refused))
    submitting = asyncio.ensure_future(stand.steps.submit(attempt))
    await wait_for(tmp_path / "asked")
    submitting.cancel()
    (tmp_path / "over").touch()
    await asyncio.wait([submitting])
    assert submitting.cancelled()
    assert not stand.steps.line._queues


async def test_a_cancel_that_the_site_never_heard_comes_again_before_the_scheduler_is_back(
    tmp_path: Path, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = build(pace=NEVER)
    (attempt,) = await stand.prepared(1)
    stand.gate.failed(SiteError("No answer.", cause=FailureCause.SITE_UNREACHABLE, part=Part.SCHEDULER))
    ask, unheard = stand.shell.ask, [SiteUnreachable("There was no free session.")]

    async def once_unheard(question: Question[Any]) -> Any:
        if unheard:
            raise unheard.pop()
        return await ask(question)

    monkeypatch.setattr(stand.shell, "ask", once_unheard)
    cancelling = asyncio.create_task(again(stand.steps.cancel, attempt))
    await wait_for(Path(attempt.folder or "") / ".howdah" / "cancel")
    stand.gate.works(Part.SCHEDULER)
    await cancelling


async def test_a_tombstone_is_laid_while_the_scheduler_gives_no_answer(tmp_path: Path, build: Build) -> None:
    stand = build(pace=NEVER)
    (attempt,) = await stand.prepared(1)
    stand.gate.failed(SiteError("No answer.", cause=FailureCause.SITE_UNREACHABLE, part=Part.SCHEDULER))
    cancelling = asyncio.create_task(again(stand.steps.cancel, attempt))
    await wait_for(Path(attempt.folder or "") / ".howdah" / "cancel")
    assert not cancelling.done()
    stand.gate.works(Part.SCHEDULER)
    await cancelling
