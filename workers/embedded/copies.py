"""Copies of howdah's own code, one for each build that experiments of the embedded server are pinned to.

Workers of the fleet run from such a copy. What is installed may be changed under them at any time (pip install -U,
git pull): they go on with the code they began with, and when they are started again it is still there.

A copy is made beside its place and moved there, so it is whole or not there. Its name is the build, which holds the
digest of its code: a copy that somebody touched is recognised, and not used.
"""

import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from howdah.errors import ConfigError
from howdah.workers.state import StateFolder, save
from howdah.workers.versioning.builds import build_of, installed_build, package_folder

PACKAGE = "howdah"
_ATTEMPTS = 5
_ACCEPTED = "accepted"
_ENTRY_POINTS = "entry_points.txt"
"""What says which job types, kinds of sites and storages this build brings."""


def keep_copy(folder: StateFolder) -> str:
    """Have a copy of what is installed now, and tell which build that is.

    Raises ConfigError when it cannot be made: the disk is full, or the package never stops changing.
    """
    try:
        for _ in range(_ATTEMPTS):
            build = installed_build()
            if is_whole(folder, build):
                return build
            _remove(folder.versions / build)
            if _copied(folder, build):
                return build
    except OSError as error:
        raise ConfigError(
            f"The code of this release cannot be copied to {folder.versions}: {error}.",
            hint="make room there, or let HOWDAH_STATE name another folder",
        ) from error
    raise ConfigError(
        f"What is installed in {package_folder()} changes while it is read.", hint="try again when that has ended"
    )


def kept_builds(folder: StateFolder) -> list[str]:
    """The builds whose copies are whole; what else lies there is removed."""
    whole: list[str] = []
    for path in sorted(folder.versions.iterdir()):
        if path.name == _ACCEPTED:
            continue
        if is_whole(folder, path.name):
            whole.append(path.name)
        else:
            _remove(path)
    return whole


def is_whole(folder: StateFolder, build: str) -> bool:
    try:
        return build_of(code_of(folder, build) / PACKAGE) == build
    except (OSError, ValueError):
        return False


def code_of(folder: StateFolder, build: str) -> Path:
    """The folder for PYTHONPATH."""
    return folder.versions / build


def remove_copy(folder: StateFolder, build: str) -> None:
    _remove(code_of(folder, build))


def accepted_build(folder: StateFolder) -> str | None:
    """The build that the sites are served with: the last one that passed its trial."""
    try:
        return (folder.versions / _ACCEPTED).read_text().strip() or None
    except OSError:
        return None


def accept_build(folder: StateFolder, build: str) -> None:
    save(folder.versions / _ACCEPTED, build)


def _copied(folder: StateFolder, build: str) -> bool:
    """False if the package changed meanwhile."""
    beside = Path(tempfile.mkdtemp(dir=folder.versions, prefix=".new."))
    try:
        # Links are followed: a checkout has some to folders outside. Compiled files come along and stay valid.
        shutil.copytree(package_folder(), beside / PACKAGE)
        _describe(beside)
        if not build == build_of(beside / PACKAGE) == installed_build():
            return False
        beside.rename(folder.versions / build)
        return True
    except (shutil.Error, FileNotFoundError):
        return False  # files went away while we copied
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _describe(beside: Path) -> None:
    """A later release may have other entry points, for code that this one has not."""
    try:
        here = distribution(PACKAGE)
    except PackageNotFoundError:
        return
    about = beside / f"{PACKAGE}-{here.version}.dist-info"
    about.mkdir()
    # Written and not copied: a checkout that was built in place has it under another name, and entry points of a
    # distribution without a name are nobody's.
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {here.version}\n")
    (about / _ENTRY_POINTS).write_text(here.read_text(_ENTRY_POINTS) or "")


def _remove(path: Path) -> None:
    """Moved away first: half a copy never has the name of a whole one."""
    if not path.exists():
        return
    if path.name.startswith("."):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
        return
    away = Path(tempfile.mkdtemp(dir=path.parent, prefix=".old."))
    try:
        path.rename(away / path.name)
    finally:
        shutil.rmtree(away, ignore_errors=True)
