"""What goes wrong with the bytes: mended if it can be, never taken for success, told with the name of the file."""

import os
import resource
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from howdah.activities.staging import stage_in, stage_out
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError, SiteError
from howdah.models.causes import FailureCause
from howdah.models.sites import ForkSite
from tests.staging.house import SMALL, House, Snapshot, files_of, silent, snapshot
from tests.staging.meddling import MeddlingTransport, flip
from tests.staging.mortal import MortalTransport

SIZES = replace(SMALL, block=16 << 10, lanes=2, lanes_from=150_000)
MARK = b"<this is what the fault hits>"
KINDS = {"small": 700, "large": 90_000, "in lanes": 200_000}

Go = Callable[[Shell], Awaitable[object]]


def local() -> LocalTransport:
    return LocalTransport(ForkSite(name="local"))


def content(size: int) -> bytes:
    """With the mark somewhere in the middle, and something else around it each time."""
    half = os.urandom(size // 2)
    return half[: -len(MARK)] + MARK + os.urandom(size - len(half))


def fill(root: Path, size: int) -> Path:
    root.mkdir(exist_ok=True)
    (root / "beside").write_bytes(os.urandom(300))
    (root / "hit.dat").write_bytes(content(size))
    return root / "hit.dat"


def ways(house: House) -> dict[str, tuple[Path, Path, Go]]:
    """Of each direction: where files are from, where they arrive, and how to move them."""
    return {
        "in": (
            house.base / "tree",
            house.folder / "tree",
            lambda shell: stage_in(shell, house.attempt(["tree"]), tell=silent, sizes=SIZES),
        ),
        "out": (
            house.folder / "tree",
            house.results / "tree",
            lambda shell: stage_out(shell, house.collect(["tree"]), tell=silent, sizes=SIZES),
        ),
    }


def finally_named(there: Path) -> Snapshot:
    """What is there under a name of its own."""
    found = files_of(snapshot(there)) if there.exists() else {}
    return {path: what for path, what in found.items() if not os.path.basename(path).startswith(b".howdah")}  # noqa: PTH119  # bytes


directions = pytest.mark.parametrize("direction", ["in", "out"])
kinds = pytest.mark.parametrize("kind", KINDS)


@directions
@kinds
async def test_a_byte_that_flips_on_the_way_travels_again(house: House, kind: str, direction: str) -> None:
    source, there, go = ways(house)[direction]
    fill(source, KINDS[kind])
    transport = MeddlingTransport(local(), MARK, out=direction == "out")
    await go(Shell(transport))
    assert transport.left == 0
    assert finally_named(there) == files_of(snapshot(source))


@directions
@kinds
async def test_bytes_that_flip_each_time_are_told_with_the_file(house: House, kind: str, direction: str) -> None:
    source, there, go = ways(house)[direction]
    fill(source, KINDS[kind])
    with pytest.raises(DataError) as caught:
        await go(Shell(MeddlingTransport(local(), MARK, out=direction == "out", times=1000)))
    assert caught.value.cause is FailureCause.TRANSFER
    assert "hit.dat" in caught.value.message
    assert b"hit.dat" not in finally_named(there)


@directions
async def test_what_was_left_of_a_try_and_is_damaged_does_not_get_into_the_file(house: House, direction: str) -> None:
    source, there, go = ways(house)[direction]
    fill(source, 3 << 20)  # more than the programs on the way hold back at a time
    wanted = files_of(snapshot(source))
    damaged = 0
    for life in range(5 << 19, 24 << 20, 1 << 20):
        try:
            await go(Shell(MortalTransport(local(), life, kills=True)))
        except SiteError as error:
            assert error.transient, error
            assert finally_named(there).items() <= wanted.items()
            damaged += _damage(house.folder.parents[1])
        else:
            break
    assert damaged
    assert finally_named(there) == wanted


def _damage(root: Path) -> int:
    """Flip a byte in all that is unfinished there; in how many files."""
    found = [(part, part.read_bytes()) for part in root.rglob("*.part")]
    for part, data in found:
        part.write_bytes(flip(data, len(data) // 3) if data else data)
    return sum(bool(data) for _, data in found)


@directions
@kinds
async def test_a_file_that_is_cut_short_between_two_tries_is_put_right(house: House, kind: str, direction: str) -> None:
    source, there, go = ways(house)[direction]
    fill(source, KINDS[kind])
    await go(Shell(local()))
    os.truncate(there / "hit.dat", 100)
    os.truncate(there / "beside", 0)
    await go(Shell(local()))
    assert finally_named(there) == files_of(snapshot(source))


@kinds
async def test_an_input_that_is_cut_short_and_has_a_known_sum_is_refused(house: House, kind: str) -> None:
    hit = fill(house.base, KINDS[kind])
    wanted = {"from": "hit.dat", "to": "hit.dat", "sha256": sha256(hit.read_bytes()).hexdigest()}
    os.truncate(hit, KINDS[kind] - 1)
    with pytest.raises(DataError) as caught:
        await stage_in(Shell(local()), house.attempt([wanted]), tell=silent, sizes=SIZES)
    assert caught.value.cause is FailureCause.INPUT_CHANGED
    assert "hit.dat" in caught.value.message
    assert finally_named(house.folder) == {}


@directions
@kinds
async def test_a_file_that_is_cut_short_while_it_travels_is_what_it_became_or_refused(
    house: House, kind: str, direction: str
) -> None:
    source, there, go = ways(house)[direction]
    hit = fill(source, KINDS[kind])

    def shorten(chunk: bytes, at: int) -> bytes:
        os.truncate(hit, 400)
        return chunk

    transport = MeddlingTransport(local(), MARK, shorten, out=direction == "out")
    try:
        await go(Shell(transport))
    except DataError as error:
        assert "hit.dat" in error.message
        assert b"hit.dat" not in finally_named(there)
    else:
        assert finally_named(there)[b"hit.dat"][1] in (hit.read_bytes(), _before(kind, there, hit))
    assert transport.left == 0


def _before(kind: str, there: Path, hit: Path) -> bytes:
    """A small file was read as a whole before it was cut short: that is what it was when it was taken."""
    data = (there / "hit.dat").read_bytes()
    return data if len(data) == KINDS[kind] and data.startswith(hit.read_bytes()) else b""


@pytest.mark.parametrize(("prelude", "cause"), [("trap '' XFSZ\n", FailureCause.QUOTA), ("", None)])
@kinds
async def test_a_limit_on_what_may_be_stored_at_the_site_is_told_with_the_file(
    house: House, kind: str, prelude: str, cause: FailureCause | None
) -> None:
    """`ulimit -f` counts blocks of 512 bytes; unlike a quota it can be had without an administrator."""
    fill(house.base / "tree", KINDS[kind] + 4096)
    shell = Shell(local(), prelude=f"{prelude}ulimit -f {KINDS[kind] // 512}")
    with pytest.raises(DataError) as caught:
        await stage_in(shell, house.attempt(["tree"]), tell=silent, sizes=replace(SIZES, small=5000, pack_bytes=9000))
    assert cause is None or caught.value.cause is cause
    assert "hit.dat" in caught.value.message
    assert b"tree/hit.dat" not in finally_named(house.folder)


@kinds
async def test_a_limit_on_what_may_be_stored_at_home_is_told_with_the_file(house: House, kind: str) -> None:
    fill(house.folder / "tree", KINDS[kind] + 4096)
    with _no_file_longer_than(KINDS[kind]), pytest.raises(DataError) as caught:
        await ways(house)["out"][2](Shell(local()))
    assert "hit.dat" in caught.value.message
    assert "too large" in caught.value.message
    assert b"hit.dat" not in finally_named(house.results / "tree")


@contextmanager
def _no_file_longer_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
