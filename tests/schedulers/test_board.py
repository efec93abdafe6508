"""The board on which jobs leave their keys when they have ended, and the loop that tells of them at once."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from howdah.activities import folder
from howdah.activities.schedulers.board import bell
from howdah.activities.transports.shell import Shell
from howdah.activities.transports.ssh import SshTransport
from howdah.models.batch import BatchState
from howdah.models.sites import ForkSite
from howdah.testing.processes import processes_with
from howdah.testing.scheduler_contract import Bench
from howdah.testing.slurm import PrivateSlurm
from howdah.testing.sshd import PrivateSshd
from tests.conftest import skip_without_sshd
from tests.schedulers.conftest import slurm_bench
from tests.schedulers.test_glance import CORNER, glance

DAY = 86400


@pytest.fixture(params=["slurm", "fork"])
def bench(request: pytest.FixtureRequest, scratch: Path, fork_bench: Callable[..., Bench]) -> Bench:
    if request.param == "fork":
        return fork_bench()
    return slurm_bench(request.getfixturevalue("shared_slurm"), scratch)


def board(scratch: Path) -> Path:
    return scratch / CORNER / "ended"


def keys_on(scratch: Path) -> list[str]:
    return sorted(path.name for path in board(scratch).iterdir())


def put_up(scratch: Path, *keys: str) -> None:
    for path in (scratch / CORNER, board(scratch)):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for key in keys:
        (board(scratch) / key).touch()


async def test_the_key_of_a_job_is_there_when_it_has_ended_and_goes_with_its_folder(
    bench: Bench, scratch: Path
) -> None:
    put_up(scratch, "hd-somebody-elses")
    attempt = await bench.submitted(f"ls {board(scratch)}; exit 3")
    assert (await bench.end(attempt)).exit_code == 3
    assert await bench.stdout(attempt) == "hd-somebody-elses\n"
    assert keys_on(scratch) == sorted([attempt.key, "hd-somebody-elses"])
    for _ in range(2):
        await bench.shell.ask(folder.remove(attempt, bench.site))
        assert keys_on(scratch) == ["hd-somebody-elses"]


async def test_a_job_that_begins_again_has_not_ended(bench: Bench, scratch: Path) -> None:
    """Its wrapper takes the entry of the life before down."""
    attempt = await bench.prepare(f"ls {board(scratch)}")
    put_up(scratch, attempt.key)
    await bench.shell.ask(bench.scheduler.submit(attempt))
    await bench.end(attempt)
    assert await bench.stdout(attempt) == ""
    assert keys_on(scratch) == [attempt.key]


@pytest.mark.parametrize("trouble", ["missing", "a file", "somebody else's", "a link"])
async def test_without_a_board_jobs_end_as_they_do(
    fork_bench: Callable[..., Bench], scratch: Path, tmp_path: Path, trouble: str
) -> None:
    bench = fork_bench()
    attempt = await bench.prepare("exit 5")
    put_up(scratch)
    if trouble == "somebody else's":
        if os.getuid() != 0:
            pytest.skip("only root gives folders away")
        os.chown(board(scratch), 65534, 65534)
    else:
        board(scratch).rmdir()
    if trouble == "a file":
        board(scratch).touch()
    if trouble == "a link":
        (tmp_path / "elsewhere").mkdir()
        board(scratch).symlink_to(tmp_path / "elsewhere")
    await bench.shell.ask(bench.scheduler.submit(attempt))
    status = await bench.end(attempt)
    assert (status.state, status.exit_code) == (BatchState.FAILED, 5)
    assert (await bench.shell.run(f"cat {attempt.folder}/.howdah/log")).out == "", "nothing is complained of"
    assert list(scratch.glob(f".howdah/**/{attempt.key}")) == list(tmp_path.glob("elsewhere/*")) == []


@pytest.mark.slurm
async def test_a_glance_tells_which_keys_are_on_the_board_and_nothing_odd(
    shared_slurm: PrivateSlurm, scratch: Path
) -> None:
    put_up(scratch, "hd-one", "hd-of another", "hd-with\na-break", "odd", "-rf", "hd-two|x")
    seen = await glance(slurm_bench(shared_slurm, scratch))
    assert {key for key in seen.ended if key != "hd-with"} == {"hd-one"}
    assert not any("|" in key for key in seen.queue)


def grow_old(path: Path, days: int) -> None:
    then = time.time() - days * DAY
    os.utime(path, (then, then))


@pytest.mark.slurm
async def test_what_nobody_has_wanted_for_long_is_removed_by_whoever_glances_once_a_day(
    shared_slurm: PrivateSlurm, scratch: Path
) -> None:
    put_up(scratch, "hd-old", "hd-of-this-week")
    corner = scratch / CORNER
    grow_old(board(scratch) / "hd-old", 9)
    grow_old(board(scratch) / "hd-of-this-week", 6)
    for name, days in (("new.left-behind", 3), ("queue.1", 9), ("queue.2", 40)):
        (corner / name).touch()
        grow_old(corner / name, days)
    bench = slurm_bench(shared_slurm, scratch)
    await glance(bench)
    assert keys_on(scratch) == ["hd-of-this-week"]
    assert (corner / "queue.1").exists()
    assert not any((corner / name).exists() for name in ("new.left-behind", "queue.2"))
    put_up(scratch, "hd-old")
    grow_old(board(scratch) / "hd-old", 40)
    await glance(bench)
    assert "hd-old" in keys_on(scratch), "not twice a day"
    (corner / "swept").write_text("1\n")
    await glance(bench)
    assert "hd-old" not in keys_on(scratch)


@asynccontextmanager
async def ringing(scratch: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    site = ForkSite(name="here", scratch=str(scratch))
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        f"umask 077\n{bell(site)}",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOWDAH_TEST_BELL": str(scratch)},
    )
    try:
        yield process
    finally:
        assert process.stdin
        process.stdin.close()
        await process.communicate()


async def keys_told(process: asyncio.subprocess.Process, number: int) -> list[str]:
    """So many, sorted, and the empty lines between left out."""
    found: list[str] = []
    assert process.stdout
    async with asyncio.timeout(20):
        while len(found) < number:
            line = (await process.stdout.readline()).decode()
            assert line.endswith("\n"), "it has ended"
            if line != "\n":
                found.append(line.rstrip("\n"))
    return sorted(found)


async def test_a_bell_tells_each_key_once_and_new_ones_as_they_come_also_on_a_board_made_anew(scratch: Path) -> None:
    put_up(scratch, "hd-a", "hd-b", "hd-odd one", "odd", "hd-with\na-break")
    async with ringing(scratch) as process:
        assert await keys_told(process, 2) == ["hd-a", "hd-b"]
        put_up(scratch, "hd-c")
        assert await keys_told(process, 1) == ["hd-c"]
        shutil.rmtree(scratch / ".howdah")  # as a site does that purges its scratch
        put_up(scratch, "hd-c", "hd-d")
        assert await keys_told(process, 1) == ["hd-d"]


async def test_a_bell_that_nobody_hears_any_more_is_gone_with_all_its_processes(scratch: Path) -> None:
    put_up(scratch)
    async with ringing(scratch) as process:
        assert process.stdin and process.stdout
        assert await process.stdout.readline() == b"\n", "a sign of life at once"
        process.stdin.write(b"whatever comes\n")
        process.stdin.close()
        assert await process.wait() == 0
        await gone(scratch)


@pytest.mark.parametrize("how", ["stops listening", "is cut off"])
async def test_nothing_of_a_bell_stays_on_the_login_node_when_its_worker(
    scratch: Path, tmp_path: Path, how: str
) -> None:
    skip_without_sshd()
    put_up(scratch, "hd-a")
    with PrivateSshd(tmp_path / "sshd", environment={"HOWDAH_TEST_BELL": str(scratch)}) as server:
        site = ForkSite(name="there", ssh=server.alias, ssh_config=str(server.ssh_config), scratch=str(scratch))
        shell = Shell(SshTransport(site))
        async with aclosing(shell.listen(bell(site))) as lines:
            async for line in lines:
                if line == "hd-a":
                    break
            assert processes_with("HOWDAH_TEST_BELL", str(scratch))
            if how == "is cut off":
                server.kill_connections()
                await gone(scratch)
        await gone(scratch)
        await shell.close()


async def gone(scratch: Path) -> None:
    async with asyncio.timeout(20):
        while processes_with("HOWDAH_TEST_BELL", str(scratch)):  # noqa: ASYNC110  # the kernel rings no bell
            await asyncio.sleep(0.05)
