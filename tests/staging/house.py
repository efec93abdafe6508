"""A job's three folders: where inputs are, where it runs, and where results go. All on this machine."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from howdah.activities.staging import Sizes
from howdah.models.batch import BatchState, BatchStatus
from howdah.models.job import Attempt, Collect, Job
from howdah.models.progress import Live
from howdah.models.spec import ExperimentSpec

SMALL = Sizes(small=1000, pack_bytes=3000, pack_files=4, batch_files=2, block=2000, lanes=3, lanes_from=4000)
"""What is large and how much a pack holds, shrunk so that little data takes every way."""

ENDED_WELL = BatchStatus(state=BatchState.COMPLETED, exit_code=0)
ENDED_BADLY = BatchStatus(state=BatchState.FAILED, exit_code=3)


@dataclass(frozen=True)
class House:
    base: Path
    folder: Path
    results: Path

    @classmethod
    def built(cls, root: Path) -> "House":
        house = cls(root / "base", root / "site" / "job", root / "home" / "results")
        house.base.mkdir(parents=True)
        (house.folder / ".howdah").mkdir(parents=True)
        (house.folder / ".howdah" / "key").write_text("hd-test-key\n")
        return house

    def attempt(self, inputs: Iterable[Any] = (), outputs: Iterable[Any] = ()) -> Attempt:
        spec = ExperimentSpec.model_validate(
            {"name": "test", "command": "true", "inputs": list(inputs), "outputs": list(outputs)}
        )
        job = Job(
            experiment="test",
            spec=spec,
            site="local",
            owner="me",
            base=str(self.base),
            results=str(self.results),
            created=datetime(2026, 1, 1, tzinfo=UTC),
        )
        return Attempt(job=job, number=1, key="hd-test-key", site="local", folder=str(self.folder))

    def collect(self, outputs: Iterable[Any] = (), status: BatchStatus = ENDED_WELL) -> Collect:
        return Collect(attempt=self.attempt(outputs=outputs), status=status)


def silent(live: Live) -> None:
    """For tests that do not look at progress."""


Tell = Callable[[Live], None]
Snapshot = dict[bytes, tuple[str, bytes, int]]


def snapshot(root: Path) -> Snapshot:
    """All below `root` but the control folder: kind, content or target, permission bits of files."""
    found: Snapshot = {}
    for here, folders, files in os.walk(root):
        if Path(here) == root and ".howdah" in folders:
            folders.remove(".howdah")
        for name in [*folders, *files]:
            path = Path(here) / name
            found[os.fsencode(path.relative_to(root))] = _what(path)
    return found


def _what(path: Path) -> tuple[str, bytes, int]:
    if path.is_symlink():
        return "link", os.fsencode(path.readlink()), 0
    if path.is_dir():
        return "folder", b"", 0
    return "file", path.read_bytes(), path.stat().st_mode & 0o777


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def files_of(found: Snapshot) -> Snapshot:
    return {path: what for path, what in found.items() if what[0] != "folder"}
