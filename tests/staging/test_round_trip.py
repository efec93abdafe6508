"""Whatever goes in comes out byte for byte, or is refused by name."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from howdah.activities.staging import stage_in, stage_out
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError
from howdah.models.printable import printable
from howdah.models.sites import ForkSite
from tests.staging.house import SMALL, House, Snapshot, files_of, silent, snapshot

_nasty = [b" ", b"-rf", b"--", b"a\nb", b"'", b'"', b"$(id)", b"`x`", b"*", b"a\\nb", b"\\", b"\xff\xfe", b"caf\xe9"]
_nasty += ["Ω".encode(), b"\r", b"\x1b[0m", b".hidden", b"...", b"n" * 200, b"a", b"b", b"c"]
names = st.one_of(
    st.sampled_from(_nasty),
    st.binary(min_size=1, max_size=8).filter(lambda name: not {0, ord("/")} & set(name) and name not in (b".", b"..")),
)
paths = st.lists(names, min_size=1, max_size=3).map(b"/".join)
files = st.tuples(st.sampled_from([0, 1, 511, 512, 513, 999, 1000, 1001, 3500]), st.sampled_from([0o644, 0o755, 0o400]))
targets = st.sampled_from([b"a", b"b", b"../a", b"../../x", b"/etc/passwd", b".", b"nothing", b"c/a"])
things = st.one_of(files, files, targets, st.none())
trees = st.dictionaries(paths, things, max_size=10)

Thing = tuple[int, int] | bytes | None


def build(root: Path, tree: dict[bytes, Thing]) -> None:
    """Files, links and empty folders; a path that another one made impossible is left out."""
    root.mkdir()
    for path, thing in tree.items():
        place = root / os.fsdecode(path)
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            if thing is None:
                place.mkdir()
            elif isinstance(thing, bytes):
                place.symlink_to(os.fsdecode(thing))
            else:
                with place.open("xb") as stream:
                    stream.write(os.urandom(thing[0]))
                place.chmod(thing[1])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tree=trees)
async def test_any_tree_goes_in_and_comes_out_or_is_refused_by_name(
    tree: dict[bytes, Thing], tmp_path_factory: pytest.TempPathFactory
) -> None:
    house = House.built(tmp_path_factory.mktemp("trip"))
    shell = Shell(LocalTransport(ForkSite(name="local")))
    build(house.base / "tree", tree)
    before = snapshot(house.base / "tree")
    try:
        await stage_in(shell, house.attempt(["tree"]), tell=silent, sizes=SMALL)
    except DataError as error:
        links = [os.fsdecode(path) for path, what in before.items() if what[0] == "link"]
        assert any(repr(printable(path)) in error.message for path in links)
        assert snapshot(house.folder) == {}
        return
    assert snapshot(house.folder / "tree") == before

    collected = await stage_out(shell, house.collect([{"path": "tree", "required": False}]), tell=silent, sizes=SMALL)

    home = files_of(snapshot(house.results / "tree")) if house.results.exists() else {}
    left = [path for path in files_of(before) if path not in home]
    assert home == {path: what for path, what in _writable(files_of(before)).items() if path in home}
    for path in left:  # only links to folders that hold nothing
        assert before[path][0] == "link"
        shown = repr(printable(os.fsdecode(b"tree/" + path)))
        assert any(shown in warning for warning in collected.warnings)


def _writable(found: Snapshot) -> Snapshot:
    """At home, whoever owns a file may also write it."""
    return {path: (kind, data, mode | 0o600 if kind == "file" else 0) for path, (kind, data, mode) in found.items()}
