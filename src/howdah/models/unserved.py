"""What nobody carries out: the steps of a site's capability, or the workflows of a version or a bundle."""

from collections.abc import Iterable, Sequence

from howdah.models.data import Data


class UnservedQueue(Data):
    """A task queue without a worker. Of a site: `site` and `capability`. Of workflows: the `bundle`, unless they are
    howdah's own, and the `version` of the `deployment` that no worker runs; both empty when there never was a worker.

    `waiting`: steps or workflow tasks in the queue. `pinned`: experiments that run, and only go on at this version.
    """

    queue: str
    site: str = ""
    capability: str = ""
    bundle: str = ""
    deployment: str = ""
    version: str = ""
    waiting: int = 0
    pinned: int = 0


def unserved_text(rows: Iterable[UnservedQueue]) -> list[str]:
    """A line for each thing that waits, and one for each site where nothing does."""
    lines: list[str] = []
    idle: dict[str, list[str]] = {}
    for row in rows:
        if not row.site:
            lines.append(_workflows(row))
        elif row.waiting:
            steps = _many(row.waiting, "step")
            lines.append(f"site {row.site} has {steps} waiting for {row.capability} and no worker")
        else:
            idle.setdefault(row.site, []).append(row.capability)
    return lines + [
        f"site {site} has no worker for {_listed(them)}; nothing waits there" for site, them in idle.items()
    ]


def _workflows(row: UnservedQueue) -> str:
    whose = f"bundle {row.bundle}" if row.bundle else "the queue of howdah's own workflows"
    what = f"version {row.version} of {row.deployment}" if row.version else whose
    held = [f"{_many(row.pinned, 'experiment')} pinned to it"] if row.pinned else []
    held += [f"{_many(row.waiting, 'task')} waiting"] if row.waiting else []
    return f"{what} has {_listed([*held, 'no worker'])}" + ("" if held else "; nothing waits for it")


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
