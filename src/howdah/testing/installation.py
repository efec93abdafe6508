"""howdah as somebody installed it, whose code can be replaced while it works: what `pip install -U` does."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import howdah
from howdah.testing.cluster import Done

TOUCHED = ("workflows/hpc_job.py", "activities/batch.py", "workers/serving.py")
"""What differs from one of these releases to the next: workflows, steps of sites, workers."""


class Installation:
    """A copy of the package in `folder`, beside a state folder and a configuration of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = folder / "installed" / "howdah"
        self.state = folder / "state"
        source = Path(howdah.__file__).parent
        shutil.copytree(source, self.package)  # links of a checkout are followed
        self._original = {name: (self.package / name).read_text() for name in TOUCHED}

    @property
    def environment(self) -> Mapping[str, str]:
        theirs = {name: value for name, value in os.environ.items() if not name.startswith(("TEMPORAL_", "HOWDAH_"))}
        return theirs | {
            "PYTHONPATH": str(self.package.parent),
            "HOWDAH_STATE": str(self.state),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "TEMPORAL_CONFIG_FILE": str(self.folder / "none.toml"),
        }

    def install(self, mark: str = "", *, code: str = "") -> None:
        """Replace the code by that of another build: `mark` is a comment in it, `code` is run when it is imported."""
        for name, text in self._original.items():
            self._replace(name, f"{text}\n{code}\n# {mark}\n" if mark or code else text)

    def _replace(self, name: str, text: str) -> None:
        """As pip does: whoever has the file open keeps the old one."""
        beside = self.package / f"{name}.new"
        beside.write_text(text)
        beside.replace(self.package / name)

    def howdah(self, *words: str, within: float = 90) -> Done:
        """Run the program and wait for it, `within` seconds at most."""
        done = subprocess.run(
            self.program(*words),
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def program(self, *words: str) -> list[str]:
        return [sys.executable, "-P", "-m", "howdah", *words]
