"""A disk that is soon full."""

import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self


class SmallDisk:
    """`size` bytes (rounded up to pages) and `files` names at most, in memory, mounted at `folder`. For root only."""

    def __init__(self, folder: Path, size: int, *, files: int = 10_000) -> None:
        self.folder, self.size, self.files = folder, size, files

    @staticmethod
    def missing() -> str:
        """Why there can be none here, or nothing."""
        return "" if os.getuid() == 0 else "only root mounts disks"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        limits = f"size={self.size},nr_inodes={self.files},mode=0777"
        subprocess.run(["mount", "-t", "tmpfs", "-o", limits, "howdah-small-disk", str(self.folder)], check=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Detached at once; its memory is free when the last process has closed its last file there."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def fill(self, *, leaving: int = 0) -> None:
        """Until so many bytes are left."""
        found = os.statvfs(self.folder)
        left = found.f_bavail * found.f_frsize - leaving
        with (self.folder / ".full").open("ab") as file:
            file.write(b"x" * max(left, 0))

    def make_room(self) -> None:
        (self.folder / ".full").unlink(missing_ok=True)

    def make_read_only(self) -> None:
        subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True)
