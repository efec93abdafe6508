"""Whatever goes in comes out byte for byte, or is refused by name."""

import os
import stat
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from howdah.activities.staging import stage_in, stage_out
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError
from howdah.models.printable import printable
from howdah.models.sites import ForkSite
from tests.staging.house import SMALL, House, Snapshot, files_of, silent, snapshot

SIZES = replace(SMALL, block=1024, lanes=3, lanes_from=4096)
"""So small that a few kilobytes take every way there is: packs, one stream, several lanes."""

_nasty = [b" ", b"-rf", b"--", b"a\nb", b"'", b'"', b"$(id)", b"`x`", b"*", b"a\\nb", b"\\", b"\xff\xfe", b"caf\xe9"]
_nasty += ["Ω".encode(), b"\r", b"\x1b[0m", b".hidden", b"...", b"n" * 255, b"\xc3" * 255, b"a", b"b", b"c"]
_nasty += [b".howdah", b".howdah-a.part", b"~", b"#", b"{}", b"%s", b"a;b", b"\t", b"key"]
names = st.one_of(
    st.sampled_from(_nasty),
    st.binary(min_size=1, max_size=8).filter(lambda name: not {0, ord("/")} & set(name) and name not in (b".", b"..")),
)
paths = st.lists(names, min_size=1, max_size=3).map(b"/".join)
sizes = st.sampled_from(
    [0, 1, 511, 512, 513, 999, 1000, 1001, 1023, 1024, 1025, 2999, 3000, 3001, 4095, 4096, 4097, 8192, 9000]
)
files = st.tuples(sizes, st.sampled_from([0o644, 0o755, 0o400, 0o600, 0o444, 0o711]))
targets = st.sampled_from([b"a", b"b", b"../a", b"../../x", b"/etc/passwd", b".", b"nothing", b"c/a", b"./", b"a\nb"])
PIPE = "pipe"
Thing = tuple[int, int] | bytes | str | None
"""A file of so many bytes and this mode, a link, a pipe, or an empty folder."""
Tree = dict[bytes, Thing]
innocent: st.SearchStrategy[Tree] = st.dictionaries(paths, st.one_of(files, files, st.none()), max_size=10)
any_tree: st.SearchStrategy[Tree] = st.dictionaries(
    paths, st.one_of(files, files, targets, st.none(), st.just(PIPE)), max_size=10
)
often = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def build(root: Path, tree: Tree) -> None:
    """A path that another one made impossible is left out."""
    root.mkdir()
    for path, thing in tree.items():
        place = root / os.fsdecode(path)
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            if thing is None:
                place.mkdir()
            elif thing == PIPE:
                os.mkfifo(place)
            elif isinstance(thing, bytes):
                place.symlink_to(os.fsdecode(thing))
            elif isinstance(thing, tuple):
                with place.open("xb") as stream:
                    stream.write(os.urandom(thing[0]))
                place.chmod(thing[1])


def pipes(root: Path) -> set[bytes]:
    return {os.fsencode(path.relative_to(root)) for path in root.rglob("*") if stat.S_ISFIFO(path.lstat().st_mode)}


def bad_links(root: Path) -> set[bytes]:
    """Those that end outside, nowhere, or never."""
    found = set()
    for path in root.rglob("*"):
        if path.is_symlink() and not (path.exists() and path.resolve().is_relative_to(root.resolve())):
            found.add(os.fsencode(path.relative_to(root)))
    return found


def shown(path: bytes) -> str:
    """As messages have it; the end of a very long one may be cut off."""
    return repr(printable(os.fsdecode(path)))[:900]


def at_home(found: Snapshot) -> Snapshot:
    """There, whoever owns a file may also write it. Empty folders need not be there."""
    changed = {path: (kind, data, mode | 0o600 if kind == "file" else 0) for path, (kind, data, mode) in found.items()}
    return files_of(changed)


async def brought_home(house: House, shell: Shell) -> tuple[Snapshot, tuple[str, ...]]:
    done = await stage_out(shell, house.collect([{"path": "tree", "required": False}]), tell=silent, sizes=SIZES)
    root = house.results / "tree"
    return (files_of(snapshot_of_all(root)) if root.exists() else {}), done.warnings


def snapshot_of_all(root: Path) -> Snapshot:
    """A user's own `.howdah` inside the tree counts as well."""
    found = snapshot(root)
    own = root / ".howdah"
    if own.is_dir() and not own.is_symlink():
        found[b".howdah"] = ("folder", b"", 0)
        found |= {b".howdah/" + path: what for path, what in snapshot_of_all(own).items()}
    return found


@often
@given(tree=innocent)
@example(tree={b"n" * 255: (9000, 0o400), b"-rf/\xff\n'": (1000, 0o711), b"\\": (4096, 0o644), b"c/c/c": None})
async def test_any_tree_of_files_goes_in_and_comes_out(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> None:
    house, shell = House.built(tmp_path_factory.mktemp("trip")), Shell(LocalTransport(ForkSite(name="local")))
    build(house.base / "tree", tree)
    before = snapshot_of_all(house.base / "tree")
    await stage_in(shell, house.attempt(["tree"]), tell=silent, sizes=SIZES)
    assert snapshot_of_all(house.folder / "tree") == before
    home, warnings = await brought_home(house, shell)
    assert (home, warnings) == (at_home(before), ())
    await shell.close()


@often
@given(tree=any_tree)
@example(tree={b"a": b"b", b"b": b"a"})
@example(tree={b"a": b"b", b"b": PIPE})
@example(tree={b"c/a": b"../../x", b"c/b": PIPE, b"fine": (1, 0o644)})
async def test_a_tree_with_links_and_pipes_goes_in_and_comes_out_or_is_refused_by_name(
    tree: Tree, tmp_path_factory: pytest.TempPathFactory
) -> None:
    house, shell = House.built(tmp_path_factory.mktemp("trip")), Shell(LocalTransport(ForkSite(name="local")))
    root = house.base / "tree"
    build(root, tree)
    before, impossible = snapshot_of_all(root) if not pipes(root) else {}, pipes(root) | bad_links(root)
    try:
        await stage_in(shell, house.attempt(["tree"]), tell=silent, sizes=SIZES)
    except DataError as error:
        links = {os.fsencode(path.relative_to(root)) for path in root.rglob("*") if path.is_symlink()}
        assert any(shown(path) in error.message for path in pipes(root) | links)
        assert all(shown(path) in error.message for path in impossible)
        assert snapshot(house.folder) == {}
        return
    assert not impossible
    assert snapshot_of_all(house.folder / "tree") == before
    home, warnings = await brought_home(house, shell)
    _is_home_or_named(home, before, warnings)
    await shell.close()


@often
@given(tree=any_tree)
@example(tree={b"c/a": PIPE, b"b": b"c/a"})
@example(tree={b"a": PIPE, b"b": b"a", b"c/a": b"../../.howdah/key", b"c/c": (1001, 0o644)})
async def test_whatever_a_job_leaves_comes_home_or_is_named(
    tree: Tree, tmp_path_factory: pytest.TempPathFactory
) -> None:
    house, shell = House.built(tmp_path_factory.mktemp("trip")), Shell(LocalTransport(ForkSite(name="local")))
    root = house.folder / "tree"
    build(root, tree)
    special = pipes(root)
    unfit = special | bad_links(root)
    for path in special:  # whoever reads one would wait for ever
        (root / os.fsdecode(path)).unlink()
    before = snapshot_of_all(root)
    for path in special:
        os.mkfifo(root / os.fsdecode(path))
    home, warnings = await brought_home(house, shell)
    assert not unfit & set(home)
    assert all(any(shown(b"tree/" + path) in warning for warning in warnings) for path in unfit)
    _is_home_or_named(home, before, warnings)
    await shell.close()


def _is_home_or_named(home: Snapshot, before: Snapshot, warnings: tuple[str, ...]) -> None:
    """Files all come; a link that does not, for what it leads to does not, is named."""
    expected = at_home(before)
    for path in expected:
        if path not in home:
            assert expected[path][0] == "link"
            assert any(shown(b"tree/" + path) in warning for warning in warnings)
    assert home == {path: what for path, what in expected.items() if path in home}
