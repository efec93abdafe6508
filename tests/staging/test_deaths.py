"""The way to the site dies anywhere, again and again: no file is ever half there under its name; all is in the end."""

import random
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from howdah.activities.staging import stage_in, stage_out
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.errors import SiteError
from howdah.models.sites import ForkSite
from tests.staging.house import SMALL, House, Snapshot, files_of, silent, snapshot
from tests.staging.mortal import MortalTransport


def fill(root: Path, random_: random.Random) -> None:
    for number in range(8):
        path = root / f"d{number % 3}" / f"f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random_.randbytes(random_.choice([0, 1, 500, 999, 1000, 1001, 9000])))


def wholly_right(there: Snapshot, expected: Snapshot) -> None:
    """Whatever has a final name has the final content."""
    for path, what in files_of(there).items():
        if not path.rpartition(b"/")[2].startswith(b".howdah-"):
            assert what == expected[path], path


async def until_done(
    work: Callable[[Shell], Awaitable[object]],
    random_: random.Random,
    look: Callable[[], None],
    clear: Callable[[], None],
    *,
    deaths: int,
    longest: int,
    kills: bool,
) -> None:
    """`deaths` tries that die somewhere, then as many as it takes with more and more life.

    One that comes through before has nothing left to do: it begins anew.
    """
    died = 0
    life = longest
    while True:
        lifetime = random_.randrange(longest) if died < deaths else life
        transport = MortalTransport(LocalTransport(ForkSite(name="local")), lifetime, kills=kills)
        try:
            await work(Shell(transport))
            if died >= deaths:
                return
            clear()
        except SiteError as error:
            assert error.transient, error
            died += 1
            life *= 2
        finally:
            look()
            await transport.close()
            look()


@pytest.mark.parametrize("kills", [True, False], ids=["killed", "cut off"])
async def test_stage_in_survives_any_number_of_deaths(house: House, kills: bool) -> None:
    random_ = random.Random(1)
    fill(house.base / "tree", random_)
    expected = {b"tree/" + path: what for path, what in snapshot(house.base / "tree").items()}
    attempt = house.attempt(["tree"])

    async def work(shell: Shell) -> None:
        await stage_in(shell, attempt, tell=silent, sizes=SMALL)

    def look() -> None:
        wholly_right(snapshot(house.folder), expected)

    def clear() -> None:
        shutil.rmtree(house.folder / "tree")

    await until_done(work, random_, look, clear, deaths=20, longest=25_000, kills=kills)
    assert files_of(snapshot(house.folder)) == files_of(expected)


@pytest.mark.parametrize("kills", [True, False], ids=["killed", "cut off"])
async def test_stage_out_survives_any_number_of_deaths(house: House, kills: bool) -> None:
    random_ = random.Random(2)
    fill(house.folder, random_)
    expected = snapshot(house.folder)
    collect = house.collect(["*"])

    async def work(shell: Shell) -> None:
        await stage_out(shell, collect, tell=silent, sizes=SMALL)

    def look() -> None:
        if house.results.exists():
            wholly_right(snapshot(house.results), expected)

    def clear() -> None:
        shutil.rmtree(house.results)

    await until_done(work, random_, look, clear, deaths=20, longest=25_000, kills=kills)
    assert snapshot(house.results) == expected
