"""Patterns of outputs, against the plainest possible reading of the same rules."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howdah.activities.staging.listing import FILE, FOLDER, Found, Tree
from howdah.activities.staging.patterns import matches

names = st.sampled_from(["a", "b", "ab", "a.txt", ".h", "*", "[a]", "a\nb", "\udce9"])
trees = st.sets(st.lists(names, min_size=1, max_size=4).map("/".join), max_size=12)
parts = st.sampled_from(["a", "b", "*", "?", "**", "*.txt", "[ab]", "[!a]", ".*", ".h", "[a]", "a*b", "\udce9"])
patterns = st.lists(parts, min_size=1, max_size=4).map("/".join)


def listed(paths: set[str]) -> list[Found]:
    """Files at the given paths where no other path needs a folder."""
    folders = {path[:at] for path in paths for at, char in enumerate(path) if char == "/"}
    return [Found(path, FOLDER if path in folders else FILE) for path in sorted(paths | folders)]


def plainly(pattern: list[str], path: list[str]) -> bool:
    """Does the pattern name this very path?"""
    if not pattern or not path:
        return not pattern and not path
    first, name = pattern[0], path[0]
    if first == "**":
        swallows = not name.startswith(".")
        return plainly(pattern[1:], path) or (
            swallows and (plainly(pattern, path[1:]) or (len(pattern) == 1 and len(path) == 1))
        )
    hidden = name.startswith(".") and not first.startswith(".")
    return (first == name or (fnmatchcase(name, first) and not hidden)) and plainly(pattern[1:], path[1:])


@given(trees, patterns)
def test_patterns_mean_what_the_rules_say(paths: set[str], pattern: str) -> None:
    entries = listed(paths)
    kinds = {entry.path: entry.kind for entry in entries}
    last_is_deep = pattern.split("/")[-1] == "**"

    def meant(path: str) -> bool:
        """Named itself, or below a folder that is named; what `**` finds are files, not whole folders."""
        steps = path.split("/")
        prefixes = [steps] if last_is_deep else [steps[:count] for count in range(1, len(steps) + 1)]
        return any(plainly(pattern.split("/"), prefix) for prefix in prefixes)

    expected = sorted(path for path, kind in kinds.items() if kind == FILE and meant(path))
    assert [found.path for found in matches(Tree.of(entries), pattern)] == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", "a.txt logs/.hidden logs/b.txt logs/deep/c.txt"),
        ("*.txt", "a.txt"),
        ("**/*.txt", "a.txt logs/b.txt logs/deep/c.txt"),
        ("logs", "logs/.hidden logs/b.txt logs/deep/c.txt"),
        ("logs/", "logs/.hidden logs/b.txt logs/deep/c.txt"),
        ("a.txt/", ""),
        ("logs/**", "logs/b.txt logs/deep/c.txt"),
        ("logs/**/c.txt", "logs/deep/c.txt"),
        ("**/deep", "logs/deep/c.txt"),
        ("[ab].txt", "a.txt"),
        ("logs/?.txt", "logs/b.txt"),
        ("logs/.*", "logs/.hidden"),
        (".dot", ".dot"),
        ("nothing", ""),
    ],
)
def test_examples_of_patterns(pattern: str, expected: str) -> None:
    paths = {"a.txt", "logs/b.txt", "logs/deep/c.txt", "logs/.hidden", ".dot"}
    assert " ".join(found.path for found in matches(Tree.of(listed(paths)), pattern)) == expected


def test_an_empty_folder_that_is_meant_is_there() -> None:
    tree = Tree.of([Found("empty", FOLDER)])
    assert [found.kind for found in matches(tree, "empty")] == [FOLDER]
    assert [found.kind for found in matches(tree, "**")] == [FOLDER]


def test_many_stars_are_no_trap() -> None:
    deep = "/".join(["a" * 50] * 60)
    tree = Tree.of(listed({deep}))
    pattern = "/".join(["**", "*a*a*a*a*a*a*a*a*b"] * 20)
    assert matches(tree, pattern) == []
