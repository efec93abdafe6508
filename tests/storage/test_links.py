"""Where links lead. Pure, and compared with a real file system."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howdah.activities.storage.links import Way, follow, relative

steps = st.sampled_from(["a", "b", "..", ".", ""])
targets = st.lists(steps, min_size=1, max_size=4).map("/".join).filter(bool)


@given(st.dictionaries(st.sampled_from(["a", "b", "d/a", "d/b", "d/c", "e"]), targets, min_size=1))
def test_what_stays_inside_ends_where_the_kernel_ends(
    tmp_path_factory: pytest.TempPathFactory, links: dict[str, str]
) -> None:
    root = Path(os.path.realpath(tmp_path_factory.mktemp("links"))) / "root"
    (root / "d").mkdir(parents=True)
    for path, target in links.items():
        (root / path).symlink_to(target)
    for path, target in links.items():
        way = follow(path, target, roots=(str(root),), link_at=links.get)
        if way is not None and (root / path).exists():
            assert os.path.realpath(root / path) == os.path.normpath(root / way.end)
        if way is None and (root / path).exists():  # it comes back, perhaps, but by leaving
            assert any(".." in one or one.startswith("/") for one in links.values())


@pytest.mark.parametrize(
    ("path", "target", "end"),
    [
        ("l", "a", "a"),
        ("d/l", "../a", "a"),
        ("d/l", "../../a", None),
        ("l", "d/../../root/a", None),
        ("l", "/root/a", "a"),
        ("l", "/root", ""),
        ("l", "/rooted/a", None),
        ("l", "/etc", None),
        ("l", ".", ""),
        ("l", "l", None),
    ],
)
def test_examples_of_links(path: str, target: str, end: str | None) -> None:
    way = follow(path, target, roots=("/root",), link_at={path: target}.get)
    assert (way and way.end) == end


def test_links_on_the_way_are_known() -> None:
    links = {"x": "y", "y": "z/w"}
    assert follow("d/l", "../x", roots=(), link_at=links.get) == Way("z/w", ("x", "y"))


def test_relative_targets_lead_back() -> None:
    assert relative("a/b/l", "a/c") == "../c"
    assert relative("l", "a/c") == "a/c"
    assert relative("a/l", "") == ".."
