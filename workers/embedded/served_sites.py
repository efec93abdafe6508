"""The sites that the embedded fleet serves: one file each, written by clients, read by the supervisor."""

import hashlib
import json
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from howdah.config import LOCAL, this_machine
from howdah.errors import ConfigError
from howdah.models.sites import Site
from howdah.plugins import SiteKind, find
from howdah.workers.embedded.processes import tell
from howdah.workers.state import StateFolder, Supervisor, read, save

WAKE = signal.SIGUSR1
"""Tells the supervisor to look at once. Not SIGHUP: that is a closed terminal, after which `howdah up` ends."""


TRIAL = "howdah-self-test"
"""A site of its own for the trial of a new build: this machine once more, where no job of anybody takes the slots."""

Name = TypeVar("Name")


@dataclass(frozen=True)
class Changes(Generic[Name]):
    start: frozenset[Name]
    restart: frozenset[Name]
    end: frozenset[Name]


def write_sites(folder: StateFolder, sites: Sequence[Site]) -> None:
    """Have these sites served, as they are defined here. Sites that nobody names any more stay served."""
    changed = [site for site in sites if _text(folder, site.name) != site.model_dump_json()]
    for site in changed:
        save(_file(folder, site.name), site.model_dump_json())
    if changed and (supervisor := read(folder.supervisor, Supervisor)):
        tell(supervisor.process, WAKE)


def definitions(folder: StateFolder) -> dict[str, str]:
    """What is to be served: a digest of each definition by the site's name. This machine always is."""
    texts = {LOCAL: this_machine().model_dump_json()}
    for path in folder.sites.glob("[A-Za-z0-9]*.json"):
        name = path.name.removesuffix(".json")
        try:
            text = _text(folder, name)
        except OSError as error:
            text = str(error)  # its worker meets that too, and says so; others are served
        if text is not None:
            texts[name] = text
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}


def changes(running: Mapping[Name, str], wanted: Mapping[Name, str]) -> Changes[Name]:
    """What to do so that what runs is what is wanted; both map names to digests."""
    return Changes(
        start=frozenset(wanted.keys() - running.keys()),
        restart=frozenset(name for name in wanted.keys() & running.keys() if wanted[name] != running[name]),
        end=frozenset(running.keys() - wanted.keys()),
    )


def read_site(folder: StateFolder, name: str) -> Site:
    """The definition of one site, checked again: its kind may be gone since it was written."""
    text = _text(folder, name)
    if text is None:
        if name == LOCAL:
            return this_machine()
        if name == TRIAL:
            return _trial_site(this_machine())
        raise ConfigError(f"No definition of site {name!r} in {folder.sites}.", hint="start an experiment there")
    try:
        return find(SiteKind, str(json.loads(text)["kind"]), what="kind of site").config.model_validate_json(text)
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{_file(folder, name)} is not a site: {error}", hint="remove the file") from error


def _trial_site(here: Site) -> Site:
    return here.model_copy(update={"name": TRIAL, "scratch": f"{here.scratch}/{TRIAL}"})


def _text(folder: StateFolder, name: str) -> str | None:
    """What is no text is no site either, but must not trouble who reads the others."""
    with suppress(FileNotFoundError):
        return _file(folder, name).read_text(encoding="utf-8", errors="replace")
    return None


def _file(folder: StateFolder, name: str) -> Path:
    return folder.sites / f"{name}.json"
