"""One query of a real Slurm for everybody: what is kept for others, and what is not believed."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from howdah.errors import OutcomeUnknown
from howdah.models.batch import Glance
from howdah.models.states import BatchState
from howdah.testing.scheduler_contract import Bench
from howdah.testing.slurm import PrivateSlurm
from howdah.testing.small_disk import SmallDisk
from tests.schedulers.conftest import shell_at, slurm_bench
from tests.schedulers.sessions import program

pytestmark = pytest.mark.slurm
CORNER = f".howdah/{os.getuid()}"
NOBODY = 65534
AWAY = "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1"


async def glance(bench: Bench, fresh: float = 30.0) -> Glance:
    question = bench.scheduler.glance(fresh=fresh)
    assert question
    return await bench.shell.ask(question)


def alive(seen: Glance) -> list[str]:
    """The controller still knows the ended jobs of other tests."""
    assert not seen.deaf
    return [key for key, row in seen.queue.items() if not row.state.is_final]


@dataclass
class Counted:
    """A site whose squeue writes a line for every call, and fails while `away`."""

    bench: Bench
    scratch: Path
    folder: Path

    @property
    def asked(self) -> int:
        ledger = self.folder / "asked"
        return len(ledger.read_text().split()) if ledger.exists() else 0

    @property
    def kept(self) -> Path:
        (file,) = (path for path in (self.scratch / CORNER).iterdir() if re.fullmatch(r"queue\.\d+", path.name))
        return file

    def go_away(self) -> None:
        (self.folder / "away").touch()

    def come_back(self) -> None:
        (self.folder / "away").unlink()


def counted(slurm: PrivateSlurm, scratch: Path, folder: Path, prelude: str = "") -> Counted:
    real = shutil.which("squeue")
    text = f'echo asked >>{folder}/asked; [ -e {folder}/away ] && {{ {AWAY}; }}; exec {real} "$@"'
    return Counted(slurm_bench(slurm, scratch, program(folder, "squeue", text), prelude=prelude), scratch, folder)


@pytest.fixture
def site(shared_slurm: PrivateSlurm, scratch: Path, tmp_path: Path) -> Counted:
    scratch.mkdir()
    return counted(shared_slurm, scratch, tmp_path / "bin")


@pytest.fixture
def count(shared_slurm: PrivateSlurm) -> Callable[[], int]:
    """How often the controller was asked for the jobs of a user. For root squeue asks for all."""

    def counted() -> int:
        return sum(map(int, re.findall(r"REQUEST_JOB_(?:USER_)?INFO\s.*count:(\d+)", shared_slurm.run("sdiag"))))

    return counted


async def test_many_workers_that_look_at_once_ask_the_controller_once(
    shared_slurm: PrivateSlurm, scratch: Path, count: Callable[[], int]
) -> None:
    benches = [slurm_bench(shared_slurm, scratch) for _ in range(2)]
    attempt = await benches[0].submitted("true", resources={"queue": "down"})
    shutil.rmtree(scratch / CORNER)
    before = count()
    looks = await asyncio.gather(*(glance(bench) for bench in benches * 4))
    polls = await asyncio.gather(*(bench.shell.ask(bench.scheduler.poll([attempt], fresh=30)) for bench in benches * 2))
    assert count() - before == 1
    assert [look.queue[attempt.key].state for look in looks] == [BatchState.QUEUED] * len(looks)
    assert all(poll[attempt.key].queue == looks[0].queue[attempt.key] for poll in polls)
    await benches[1].gone(attempt)


async def test_who_wants_a_fresh_answer_asks_and_keeps_it_for_the_others(site: Counted) -> None:
    assert not (await glance(site.bench)).deaf
    attempt = await site.bench.submitted("true", resources={"queue": "down"})
    before = site.asked
    await site.bench.look(attempt)
    assert site.asked == before + 1
    assert (await glance(site.bench)).queue[attempt.key].state is BatchState.QUEUED
    assert site.asked == before + 1
    await site.bench.gone(attempt)


async def test_a_row_that_has_not_changed_is_the_same_object_again(site: Counted) -> None:
    attempts = [await site.bench.submitted("true", resources={"queue": "down"}) for _ in range(2)]
    first, second = await glance(site.bench, 0), await glance(site.bench, 0)
    assert {attempt.key for attempt in attempts} <= set(first.queue)
    assert all(first.queue[key] is second.queue[key] for key in first.queue)
    for attempt in attempts:
        await site.bench.gone(attempt)


def truncated(file: Path) -> None:
    file.write_text(file.read_text()[:-5])


def of_a_time_to_come(file: Path) -> None:
    then = file.stat().st_mtime + 3600
    os.utime(file, (then, then))


def old(file: Path) -> None:
    then = file.stat().st_mtime - 30
    os.utime(file, (then, then))


def long_asked_for(file: Path) -> None:
    text = file.read_text()
    number = text.split()[3]
    file.write_text(text.replace(f"{text.split()[2]} {number}\n", f"30 {number}\n"))


def one_row_garbled(file: Path) -> None:
    head, row, *rest = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join((head, b"\0" * len(row), *rest)))


def odd_numbers(file: Path) -> None:
    file.write_text("howdah 1 09 08\nend 09 08\n")


def of_somebody_else(file: Path) -> None:
    os.chown(file, NOBODY, NOBODY)


def behind_a_link(file: Path) -> None:
    file.symlink_to(file.rename(file.with_name("elsewhere")))


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    "spoil",
    [
        truncated,
        of_a_time_to_come,
        old,
        long_asked_for,
        one_row_garbled,
        odd_numbers,
        of_somebody_else,
        behind_a_link,
        a_pipe,
    ],
    ids=lambda spoil: spoil.__name__,
)
async def test_what_is_kept_is_not_believed_when_it_is(
    shared_slurm: PrivateSlurm, site: Counted, spoil: Callable[[Path], None]
) -> None:
    attempt = await site.bench.submitted("true", resources={"queue": "down"})
    await glance(site.bench, 0)
    before = site.asked
    if spoil is of_somebody_else and os.getuid() != 0:
        pytest.skip("only root gives files away")
    spoil(site.kept)
    assert attempt.key in (await glance(site.bench)).queue
    assert site.asked == before + 1
    await glance(site.bench)
    assert site.asked == before + 1, "it was kept anew"
    await site.bench.gone(attempt)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives folders away")
async def test_a_folder_of_somebody_else_is_neither_believed_nor_used(site: Counted) -> None:
    await glance(site.bench)
    site.kept.write_text("howdah 1 0 1\n1|1|RUNNING|||hd-lie\nend 0 1\n")
    assert list((await glance(site.bench)).queue) == ["hd-lie"], "this is how the lie would be told"
    os.chown(site.scratch / CORNER, NOBODY, NOBODY)
    before, listed = site.asked, sorted((site.scratch / CORNER).iterdir())
    for _ in range(2):
        assert "hd-lie" not in alive(await glance(site.bench))
    assert site.asked == before + 2
    assert sorted((site.scratch / CORNER).iterdir()) == listed


async def test_what_somebody_puts_in_the_place_of_the_folder_meanwhile_is_not_written_through(
    site: Counted, tmp_path: Path
) -> None:
    """Whoever made `.howdah` in a scratch of many may rename what is in it, though it is not his."""
    mine = tmp_path / "mine"
    mine.write_text("precious")
    corner = site.scratch / CORNER
    swaps = f"[ -e {corner}.away ] || {{ mv {corner} {corner}.away; mkdir {corner}; "
    swaps += "".join(f"ln -s {mine} {corner}/{name}; " for name in ("swept", "now")) + "}"
    real = shutil.which("squeue")
    program(site.folder, "squeue", f'{swaps}\nexec {real} "$@"')
    assert not (await glance(site.bench)).deaf
    assert (corner.with_name(f"{corner.name}.away") / "swept").exists()
    assert mine.read_text() == "precious"
    assert sorted(path.name for path in corner.iterdir()) == ["now", "swept"]


async def test_a_link_in_the_place_of_the_common_folder_leads_nobody_astray(site: Counted, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (site.scratch / ".howdah").symlink_to(tmp_path / "home")
    assert not (await glance(site.bench)).deaf
    assert list((tmp_path / "home").iterdir()) == []


async def test_nobody_else_can_read_what_is_kept(site: Counted) -> None:
    await glance(site.bench)
    assert (site.scratch / CORNER).stat().st_mode & 0o777 == 0o700
    assert site.kept.stat().st_mode & 0o077 == 0


async def test_the_answers_of_two_clusters_that_share_a_scratch_are_kept_apart(site: Counted, tmp_path: Path) -> None:
    kind, config = type(site.bench.scheduler), site.bench.site
    await glance(site.bench)
    conf = (await site.bench.shell.run('printf %s "$SLURM_CONF"')).out
    (tmp_path / "slurm.conf").symlink_to(conf)
    other = config.model_copy(update={"name": "other"})
    with_conf = config.model_copy(update={"prelude": f"{config.prelude}\nexport SLURM_CONF={tmp_path}/slurm.conf"})
    for number, site_ in enumerate((other, with_conf), start=2):
        await glance(Bench(site_, kind(site_), shell_at(site_)))  # type: ignore[call-arg]  # the class of this driver
        assert site.asked == number


@pytest.mark.parametrize("hours", ["-1", "+1"])
async def test_login_nodes_whose_clocks_differ_share_an_answer(site: Counted, tmp_path: Path, hours: str) -> None:
    date = program(tmp_path / "date", "date", f'exec /bin/date --date="{hours} hour" "$@"')
    config = site.bench.site
    other = config.model_copy(update={"prelude": f"{config.prelude}\nPATH={date}:$PATH"})
    await glance(site.bench, 0)
    question = site.bench.scheduler.glance(fresh=30)
    assert question
    assert (await shell_at(other).ask(question)).age < 30
    assert site.asked == 1


async def test_a_failure_is_told_to_all_and_not_tried_again_by_each(site: Counted) -> None:
    attempt = await site.bench.prepare("true")
    site.go_away()
    looks = await asyncio.gather(*(glance(site.bench) for _ in range(4)))
    poll = await site.bench.shell.ask(site.bench.scheduler.poll([attempt], fresh=30))
    assert site.asked == 1
    words = {look.deaf for look in looks} | {poll[attempt.key].deaf}
    assert len(words) == 1
    assert "Slurm's controller does not answer." in words.pop()
    site.come_back()
    assert not (await site.bench.look(attempt)).deaf, "who asks afresh is not told an old failure"
    assert (await glance(site.bench)).deaf == ""
    assert site.asked == 2


async def test_rows_asked_before_the_controller_went_away_are_told_while_they_are_young(site: Counted) -> None:
    await glance(site.bench)
    site.go_away()
    assert (await glance(site.bench, 0)).deaf
    assert not (await glance(site.bench)).deaf
    assert site.asked == 2


async def test_names_with_line_breaks_are_nobodys_rows(
    site: Counted, shared_slurm: PrivateSlurm, tmp_path: Path
) -> None:
    script = tmp_path / "odd.sh"
    script.write_text("#!/bin/sh\n")
    for name in ("hd-odd\nrest", "x\n1|1|RUNNING|||hd-forged", "hd-a|b", "x\nend 1 1"):
        shared_slurm.run("sbatch", "--output=/dev/null", "--hold", f"--job-name={name}", str(script))
    attempt = await site.bench.submitted("true", resources={"queue": "down"})
    for fresh in (0, 30):
        seen = (await glance(site.bench, fresh)).queue
        assert attempt.key in seen
        assert not {"hd-odd", "hd-forged", "hd-a", "hd-a|b"} & set(seen)
    await site.bench.gone(attempt)
    shared_slurm.run("scancel", "--state=PENDING")


async def test_of_a_key_with_several_jobs_the_queue_tells_nothing(site: Counted, shared_slurm: PrivateSlurm) -> None:
    attempt = await site.bench.submitted("true", resources={"queue": "down"})
    assert attempt.key in (await glance(site.bench, 0)).queue
    script = f"{attempt.folder}/.howdah/script"
    shared_slurm.run("sbatch", "--partition=down", f"--job-name={attempt.key}", script)
    assert attempt.key not in (await glance(site.bench, 0)).queue
    await site.bench.gone(attempt)


@pytest.fixture(params=["dies", "is of no use", "is missing"])
def locks(request: pytest.FixtureRequest, site: Counted) -> Iterator[str]:
    """How it may be with locks."""
    holder = None
    if request.param == "dies":
        corner = site.scratch / CORNER
        subprocess.run(["mkdir", "-p", "-m", "700", corner / "ended"], check=True)
        holder = subprocess.Popen(["sh", "-c", f"exec 9>>{corner}/held; flock 9; kill -s KILL $$"])
        holder.wait()
    elif request.param == "is of no use":
        program(site.folder, "flock", "echo 'flock: 8: No locks available' >&2; exit 71")
    else:
        site.bench.shell = shell_at(
            site.bench.site.model_copy(
                update={
                    "prelude": site.bench.site.prelude
                    + 'command() { [ "$2" = flock ] && return 1; unset -f command; command "$@"; }\n'
                }
            )
        )
    yield request.param


async def test_who_cannot_lock_asks_all_the_same(site: Counted, locks: str) -> None:
    for _ in range(2):
        assert not (await glance(site.bench)).deaf
    assert site.asked == 1


async def test_a_lock_that_hangs_whatever_it_was_told_is_given_up(site: Counted) -> None:
    """As on a network file system whose locks are gone."""
    program(site.folder, "flock", "trap '' TERM ALRM; exec sleep 50")
    question = site.bench.scheduler.glance(fresh=30)
    assert question
    script = question.script.replace("timeout -k 1 55 flock", "timeout -k 0.1 0.1 flock")
    assert not question.read((await site.bench.shell.run(script, within=20)).out).deaf
    assert site.asked == 1


async def test_where_nothing_can_be_kept_everybody_asks(shared_slurm: PrivateSlurm, tmp_path: Path) -> None:
    """A scratch that is not there is not made: jobs would seem purged."""
    scratch = tmp_path / "scratch"
    site = counted(shared_slurm, scratch, tmp_path / "bin")
    for number in (1, 2):
        assert not (await glance(site.bench)).deaf
        assert site.asked == number
    assert not scratch.exists()
    scratch.touch()
    assert not (await glance(site.bench)).deaf
    assert site.asked == 3


async def test_on_a_disk_that_is_full_or_read_only_the_answer_is_told_and_not_kept(
    shared_slurm: PrivateSlurm, scratch: Path, tmp_path: Path
) -> None:
    if told := SmallDisk.missing():
        pytest.skip(told)
    with SmallDisk(scratch, 2**20) as disk:
        site = counted(shared_slurm, scratch, tmp_path / "bin")
        attempt = await site.bench.submitted("true", resources={"queue": "down"})
        shutil.rmtree(scratch / CORNER)
        await glance(site.bench, 0)
        site.kept.unlink()
        disk.fill()
        before = site.asked
        for _ in range(2):
            assert attempt.key in (await glance(site.bench)).queue
        assert site.asked == before + 2
        assert [path.name for path in (scratch / CORNER).iterdir() if path.name.startswith("new.")] == []
        await site.bench.gone(attempt)
        disk.make_room()
        await glance(site.bench, 0)
        disk.make_read_only()
        assert attempt.key in (await glance(site.bench)).queue


async def test_an_answer_that_is_cut_off_is_none(site: Counted) -> None:
    question = site.bench.scheduler.glance()
    assert question
    out = (await site.bench.shell.run(question.script)).out
    mark = out.rstrip().rpartition("\n")[2].split()[0]
    for broken in (out[:-20], out.replace(f"{mark} packed", f"{mark} odd"), f"{mark} asked 0 0\n{mark} plain\n"):
        with pytest.raises(OutcomeUnknown, match="not complete"):
            question.read(broken)
    head, _, packed = out.partition(f"{mark} packed\n")
    with pytest.raises(OutcomeUnknown, match="not complete"):
        question.read(f"{head}{mark} packed\n{packed[:20]}\n{mark} done\n")


async def test_a_site_without_gzip_sends_rows_as_they_are(site: Counted) -> None:
    attempt = await site.bench.submitted("true", resources={"queue": "down"})
    question = site.bench.scheduler.glance()
    assert question
    said = await site.bench.shell.run(question.script.replace("gzip", "gzip-is-missing"))
    assert attempt.key in said.out
    assert question.read(said.out).queue[attempt.key].state is BatchState.QUEUED
    await site.bench.gone(attempt)
