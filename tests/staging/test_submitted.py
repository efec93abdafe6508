"""A worker that was frozen while it staged in, and wakes when the job has long been submitted, touches nothing."""

import shutil
from collections.abc import Callable

import pytest

from howdah.activities.staging import stage_in
from howdah.activities.staging.scripts import parts
from howdah.activities.transports.shell import Shell
from howdah.models.job import Staged
from tests.staging.house import SMALL, House, silent

SUBMITTED = 'echo 1 >"${root:-.}/.howdah/intent"'


@pytest.mark.parametrize(
    ("size", "rsync", "meanwhile"),
    [
        (10, False, f'tar() {{ command tar "$@" && {SUBMITTED}; }}'),
        (5000, False, f'openssl() {{ command openssl "$@" && {SUBMITTED}; }}'),
        pytest.param(
            10,
            True,
            f'comm() {{ command comm "$@" && {SUBMITTED}; }}',
            marks=pytest.mark.skipif(not shutil.which("rsync"), reason="There is no rsync here: apt-get install rsync"),
        ),
    ],
    ids=["in a pack", "in blocks", "by rsync"],
)
async def test_what_was_on_its_way_when_another_worker_submitted_gets_no_name(
    house: House, shell_that: Callable[[str], Shell], size: int, rsync: bool, meanwhile: str
) -> None:
    (house.base / "input").write_bytes(b"x" * size)
    done = await stage_in(shell_that(meanwhile), house.attempt(["input"]), tell=silent, sizes=SMALL, rsync=rsync)
    assert done == Staged(files=0, bytes=0)
    assert [path.name for path in house.folder.iterdir()] == [".howdah"]


@pytest.mark.parametrize("size", [10, 5000])
async def test_an_input_that_the_job_has_changed_is_left_as_it_is(house: House, shell: Shell, size: int) -> None:
    (house.base / "input").write_bytes(b"x" * size)
    await stage_in(shell, house.attempt(["input"]), tell=silent, sizes=SMALL)
    (house.folder / ".howdah" / "intent").write_text("1\n")
    (house.folder / "input").write_text("used up")
    await stage_in(shell, house.attempt(["input"]), tell=silent, sizes=SMALL)
    assert (house.folder / "input").read_text() == "used up"


async def test_what_a_frozen_try_writes_when_it_wakes_does_not_reach_what_another_has_taken_over(
    house: House, shell: Shell
) -> None:
    part = house.folder / ".howdah" / "incoming" / "x.part"
    part.parent.mkdir()
    part.write_bytes(b"half of it")
    with part.open("r+b") as frozen:
        sums = await shell.run(parts.block_sums(house.attempt(), ".howdah/incoming/x.part", 4), within=30)
        frozen.write(b"something")
    assert len(sums.out.split()) == 3
    assert part.read_bytes() == b"half of it"
    assert [path.name for path in part.parent.iterdir()] == ["x.part"]
