"""The sites and the depot, read from `sites.toml`: the project's own folder, then the user's configuration folder."""

import difflib
import os
import re
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from howdah.errors import BrokenBundle, ConfigError, UnknownName
from howdah.models.sites import ForkSite, Site
from howdah.plugins import SiteKind, find, storage_for
from howdah.problems import problems_of

LOCAL = "local"
DEPOT = "HOWDAH_DEPOT"


def config_folder() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "howdah"


def state_folder() -> Path:
    """Where the embedded server, its workers and the folders of local jobs live. `HOWDAH_STATE` overrides."""
    if told := os.environ.get("HOWDAH_STATE"):
        return Path(told).expanduser().absolute()
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "howdah"


def site_files(project: Path | None = None) -> list[Path]:
    """The files that are read, most particular first. `HOWDAH_SITES` (paths joined by ':') replaces them all."""
    if told := os.environ.get("HOWDAH_SITES"):
        return [Path(path).expanduser().absolute() for path in told.split(os.pathsep) if path]
    found = [(project or Path.cwd()).absolute() / "sites.toml", config_folder() / "sites.toml"]
    return [path for path in found if path.is_file()]


def load_sites(project: Path | None = None) -> dict[str, Site]:
    """All sites by name. The first file that names a site decides; `local` is always there."""
    sites: dict[str, Site] = {}
    for path in site_files(project):
        for name, table in _tables(path).items():
            with suppress(BrokenBundle):  # told by `find_site` to whoever needs it; it must not hide the others
                if name not in sites:
                    sites[name] = _site(path, name, table)
    sites.setdefault(LOCAL, this_machine())
    return sites


def this_machine() -> Site:
    return ForkSite(name=LOCAL, description="this machine", scratch=_local_scratch())


def find_site(name: str, sites: dict[str, Site]) -> Site:
    if name not in sites:
        _tell_why_broken(name)
        near = difflib.get_close_matches(name, sites, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownName(
            f"No site {name!r}.{guess} Known sites: {', '.join(sorted(sites))}.",
            hint=f"add [sites.{name}] to {config_folder() / 'sites.toml'}, then: howdah site check {name}",
        )
    return sites[name]


def broken_sites() -> dict[str, BrokenBundle]:
    """The sites whose kind is of a bundle that cannot be loaded, and why."""
    found: dict[str, BrokenBundle] = {}
    for path in site_files():
        for name, table in _tables(path).items():
            try:
                _site(path, name, table)
            except BrokenBundle as error:
                found.setdefault(name, error)
    return found


def _tell_why_broken(name: str) -> None:
    if error := broken_sites().get(name):
        raise error


def load_depot(project: Path | None = None) -> str | None:
    """Where clients put inputs for workers that cannot see them: an absolute folder or a URL. None: nowhere.

    The variable decides, also when it is empty; then the first file that has the key `depot`.
    """
    if (told := os.environ.get(DEPOT)) is not None:
        return _depot(DEPOT, told) if told else None
    for path in site_files(project):
        if (depot := _document(path).get("depot")) is not None:
            return _depot(f"{path}: depot", depot)
    return None


def _depot(where: str, written: Any) -> str:
    hint = "name a folder (/shared/depot, ~/depot) or an object store (s3://bucket/depot) that workers reach as well"
    if not isinstance(written, str) or not written.isprintable() or not written.strip():
        raise ConfigError(f"{where} must be a text.", hint=hint)
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", written):
        return _depot_folder(where, written, hint)
    return _depot_url(where, written, hint)


def _depot_url(where: str, written: str, hint: str) -> str:
    try:
        url = urlsplit(written)
    except ValueError:
        raise ConfigError(f"{where}: that is not a valid URL.", hint=hint) from None
    if "@" in url.netloc or url.query or url.fragment:
        raise ConfigError(f"{where}: a URL without user name, password, '?' and '#' is wanted.", hint=hint)
    if url.scheme == "file" and url.netloc in ("", "localhost"):
        return _depot_folder(where, unquote(url.path), hint)
    kind = storage_for(url.scheme)
    if kind is None or not kind.writable:
        raise ConfigError(f"{where}: nothing can be stored at {url.scheme}://.", hint=hint)
    if not url.netloc:
        raise ConfigError(f"{where}: the URL names no bucket or host.", hint=hint)
    if url.scheme == "file":
        raise ConfigError(f"{where}: a folder of another machine cannot be reached this way.", hint=hint)
    return written.rstrip("/")


def _depot_folder(where: str, written: str, hint: str) -> str:
    try:
        folder = Path(written).expanduser()
    except RuntimeError as error:  # ~name of nobody here
        raise ConfigError(f"{where}: {error}", hint=hint) from None
    if not folder.is_absolute():
        raise ConfigError(f"{where}: {written!r} is not an absolute path.", hint=hint)
    return os.path.normpath(folder)


def _local_scratch() -> str:
    path = str(state_folder() / "jobs")
    try:
        return Site(name=LOCAL, kind="fork", scratch=path).scratch
    except ValidationError:  # a home with blanks in its name
        return "~/.howdah"


def _tables(path: Path) -> dict[str, dict[str, Any]]:
    sites = _document(path).get("sites", {})
    if not isinstance(sites, dict) or not all(isinstance(table, dict) for table in sites.values()):
        raise ConfigError(f"{path}: 'sites' must hold tables.", hint="a site is a table [sites.NAME]")
    return sites


def _document(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.", hint="correct HOWDAH_SITES or the file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.", hint="correct the file") from error
    if extra := set(document) - {"sites", "depot"}:
        hint = "a site is a table [sites.NAME]; besides there is the key depot"
        raise ConfigError(f"{path}: unknown key or table {sorted(extra)[0]!r}.", hint=hint)
    return document


def _site(path: Path, name: str, table: dict[str, Any]) -> Site:
    where = f"{path}: [sites.{name}]"
    if "depot" in table:
        raise ConfigError(
            f"{where}: the depot is for all sites.", hint="write 'depot = ...' above the first [sites...]"
        )
    if "kind" not in table:
        raise ConfigError(f"{where} has no 'kind'.", hint='say kind = "slurm" or kind = "fork"')
    try:
        kind = find(SiteKind, str(table["kind"]), what="kind of site")
    except UnknownName as error:
        raise ConfigError(f"{where}: {error.message}", hint=error.hint) from None
    written = {"name": name, **table}
    try:
        return kind.config.model_validate(written)
    except ValidationError as error:
        lines = [f"{where}: {problem}" for problem in problems_of(error, kind.config, written)]
        raise ConfigError("\n".join(lines), hint="correct the file") from None
