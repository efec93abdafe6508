"""Watching at a real Slurm behind a real sshd: what is seen at once, what is asked, and what is left behind."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from howdah.activities import rhythm
from howdah.activities.schedulers.slurm import Slurm
from howdah.activities.transports.ssh import SshTransport
from howdah.models.batch import BatchStatus
from howdah.models.job import Attempt, Watch
from howdah.models.sites import SlurmSite
from howdah.models.states import BatchState
from howdah.testing.cluster import PrivateCluster
from howdah.testing.jobs import attempt_at
from howdah.testing.processes import processes_holding
from howdah.testing.sshd import PrivateSshd
from howdah.testing.wire import Wire
from tests.activities.stand import Stand
from tests.conftest import skip_without_sshd
from tests.transports.conftest import QUICK

pytestmark = [pytest.mark.sshd]

Build = Callable[..., Stand]
ALIVE = [
    "import asyncio, sys",
    "from howdah.activities.bell import Bell, loop_at",
    "from howdah.activities.gate import Gate",
    "from howdah.activities.schedulers.slurm import Slurm",
    "from howdah.activities.transports.shell import Shell",
    "from howdah.activities.transports.ssh import SshTransport",
    "from howdah.models.sites import SlurmSite",
    "async def main():",
    "    site = SlurmSite.model_validate_json(sys.argv[1])",
    "    Bell(Shell(SshTransport(site)), Gate('here', None), loop_at(site, Slurm(site)), print).wanted()",
    "    await asyncio.Event().wait()",
    "asyncio.run(main())",
]
"""A worker that does nothing but listen."""


@pytest.fixture
async def build() -> AsyncIterator[Build]:
    async with AsyncExitStack() as stands:

        def make(site: SlurmSite) -> Stand:
            stand = Stand(site, SshTransport(site, timing=QUICK), Slurm(site))
            stands.push_async_callback(stand.close)
            return stand

        yield make


def site_on(cluster: PrivateCluster, scratch: Path, **limits: Any) -> SlurmSite:
    site = cluster.slurm.site("cluster", str(scratch), ssh=cluster.sshd.alias, **limits)
    return site.model_copy(update={"ssh_config": str(cluster.sshd.ssh_config)})


def monitor(stand: Stand, attempt: Attempt) -> "asyncio.Future[BatchStatus]":
    watch = Watch(attempt=attempt, native_id="1", known=BatchState.QUEUED, until_end=True)
    return asyncio.ensure_future(stand.steps.monitor(watch))


def board(scratch: Path) -> Path:
    (corner,) = (scratch / ".howdah").iterdir()
    return corner / "ended"


async def until(holds: Callable[[], object], what: str) -> None:
    """What is true at the site at last; nobody tells when."""
    try:
        async with asyncio.timeout(30):
            while not await asyncio.to_thread(holds):  # noqa: ASYNC110  # it happens at the site
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"never so: {what}") from None


@pytest.mark.slurm
async def test_an_end_is_told_at_once_though_the_next_look_is_an_hour_away_and_nothing_stays_behind(
    cluster: PrivateCluster, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rhythm, "SOON", 3600.0)
    scratch = tmp_path / "scratch"
    stand = build(site_on(cluster, scratch, poll="1h"))
    [attempt] = await stand.prepared(1, f"until [ -e {tmp_path}/over ]; do sleep 0.05; done")
    await stand.steps.submit(attempt)
    bell = stand.steps.watch.bell
    assert bell is not None
    bell._linger = 0.0
    watching = monitor(stand, attempt)
    await until(lambda: bell.is_heard, "the loop runs")
    assert processes_holding(board(scratch))
    cluster.slurm.until(lambda rows: any(row.name == attempt.key and row.state == "RUNNING" for row in rows))
    (tmp_path / "over").touch()
    assert (await watching).state is BatchState.COMPLETED
    await until(lambda: not processes_holding(board(scratch)), "nothing is left at the site when nobody watches")


@pytest.mark.slurm
async def test_two_workers_at_rest_ask_the_scheduler_no_more_often_than_one(
    cluster: PrivateCluster, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rhythm, "SOON", 3.0)
    site = site_on(cluster, tmp_path / "scratch", poll="3s").model_copy(update={"watch": "poll"})
    stands = [build(site), build(site)]
    attempts, looks = list[Attempt](), [0, 0]
    for number, stand in enumerate(stands):
        _count(stand, looks, number)
        attempt = attempt_at("cluster", resources={"queue": "down"})
        attempts.append(attempt.at((await stand.steps.prepare(attempt)).folder))
        await stand.steps.submit(attempts[number])
    monitors = [monitor(stand, attempt) for stand, attempt in zip(stands, attempts, strict=True)]
    await until(lambda: min(looks) >= 1, "both look")
    before, looks_before = _queries(cluster), sum(looks)
    await until(lambda: sum(looks) - looks_before >= 4, "both go on looking")
    assert _queries(cluster) - before <= (sum(looks) - looks_before) / 2 + 1
    for one in monitors:
        one.cancel()
    for stand, attempt in zip(stands, attempts, strict=True):
        assert await stand.steps.cancel(attempt)


async def test_the_loop_ends_when_its_worker_is_killed(tmp_path: Path) -> None:
    skip_without_sshd()
    with PrivateSshd(tmp_path / "sshd") as sshd:
        site = _bare_site(tmp_path, sshd.ssh_config, sshd.alias)
        worker = await asyncio.create_subprocess_exec(sys.executable, "-c", "\n".join(ALIVE), site.model_dump_json())
        await until(lambda: _listeners(tmp_path), "the loop runs")
        worker.send_signal(signal.SIGKILL)
        await worker.wait()
        await until(lambda: not _listeners(tmp_path), "the loop has ended")


async def test_the_loop_ends_with_its_connection_and_is_begun_again(tmp_path: Path, build: Build) -> None:
    skip_without_sshd()
    with PrivateSshd(tmp_path / "sshd") as sshd:
        async with Wire(sshd.port) as wire:
            stand = build(_bare_site(tmp_path, sshd.behind(wire.port), sshd.alias))
            bell = stand.steps.watch.bell
            assert bell is not None
            bell.wanted()
            await until(lambda: bell.is_heard and _listeners(tmp_path), "the loop runs")
            first = _listeners(tmp_path)
            wire.cut()
            await until(lambda: not first & _listeners(tmp_path), "it has ended")
            await until(lambda: bell.is_heard and _listeners(tmp_path), "another one runs")
            bell._end()
            await until(lambda: not _listeners(tmp_path), "nothing is left")


def _bare_site(folder: Path, ssh_config: Path, alias: str) -> SlurmSite:
    """One whose scheduler nobody asks."""
    (folder / "scratch").mkdir()
    return SlurmSite(name="bare", ssh=alias, ssh_config=str(ssh_config), scratch=str(folder / "scratch"))


def _listeners(folder: Path) -> set[int]:
    corner = folder / "scratch" / ".howdah"
    return processes_holding(corner) if corner.exists() else set()


def _count(stand: Stand, looks: list[int], number: int) -> None:
    look = stand.steps.watch.looks.at_all

    async def counted(everybody: Any) -> bool | None:
        changed = await look(everybody)
        looks[number] += 1
        return changed

    stand.steps.watch.looks.at_all = counted  # type: ignore[method-assign]  # seen from outside, it is the same


def _queries(cluster: PrivateCluster) -> int:
    """How often the controller was asked for the jobs of a user, or of all."""
    found = re.findall(r"REQUEST_JOB_(?:USER_)?INFO\s.*count:(\d+)", cluster.slurm.run("sdiag"))
    return sum(map(int, found))
