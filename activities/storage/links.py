"""Where symbolic links of a tree lead. Pure: the tree is a function from paths to link targets."""

import posixpath
from collections.abc import Callable
from dataclasses import dataclass

MOST_LINKS = 40
"""As the Linux kernel: more on one way are taken for a loop."""


@dataclass(frozen=True)
class Way:
    """The way of a link. `end` is relative to the tree's root ("" is the root itself), `through` other links passed."""

    end: str
    through: tuple[str, ...] = ()


def follow(path: str, target: str, *, roots: tuple[str, ...], link_at: Callable[[str], str | None]) -> Way | None:
    """Follow the link `path` -> `target`. None when it leaves the tree on its way, or never ends.

    `roots` are the absolute names of the tree, for links with an absolute target.
    `link_at` gives the target of the link at a path of the tree, None for anything else.
    What is at the end is not asked: it may be missing.
    """
    done = path.split("/")[:-1]
    pending = _steps(target)
    through: list[str] = []
    if (inside := _below(target, roots)) is not None:
        done, pending = [], _steps(inside)
    elif target.startswith("/"):
        return None
    while pending:
        step = pending.pop()
        if step == "..":
            if not done:
                return None
            done.pop()
            continue
        here = "/".join([*done, step])
        further = link_at(here)
        if further is None:
            done.append(step)
            continue
        through.append(here)
        if len(through) > MOST_LINKS:
            return None
        if (inside := _below(further, roots)) is not None:
            done, further = [], inside
        elif further.startswith("/"):
            return None
        pending += _steps(further)
    return Way("/".join(done), tuple(through))


def relative(path: str, end: str) -> str:
    """The target that leads from the link `path` to `end`, both relative to the tree's root."""
    return posixpath.relpath(end or ".", posixpath.dirname(path) or ".")


def _steps(target: str) -> list[str]:
    """Last first, to be popped."""
    return [step for step in reversed(target.split("/")) if step not in ("", ".")]


def _below(target: str, roots: tuple[str, ...]) -> str | None:
    for root in roots:
        if target == root:
            return ""
        if target.startswith(root.rstrip("/") + "/"):
            return target[len(root.rstrip("/")) + 1 :]
    return None
