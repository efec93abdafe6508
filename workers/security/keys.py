"""The file of keys that seal values: the first one seals, all of them open.

[[keys]]
id = "2026-11-a1b2"
secret = "..."       # 32 bytes, base64
"""

import base64
import os
import re
import secrets
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from howdah.config import config_folder
from howdah.errors import ConfigError, UnknownName
from howdah.workers.state import save

BYTES = 32
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ABOVE = (
    "# The first key seals, all of them open. Whoever has this file can read every value: keep it, and keep it secret."
)


@dataclass(frozen=True)
class Key:
    id: str
    secret: bytes = field(repr=False)


class Keyring:
    """The keys of a file. An id that is not among them makes it read the file again: it may have come since."""

    def __init__(self, path: Path, keys: Sequence[Key]) -> None:
        self.path = path
        self._keys = tuple(keys)

    @property
    def first(self) -> Key:
        return self._keys[0]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(key.id for key in self._keys)

    def find(self, id_: str) -> Key | None:
        found = self._known(id_)
        if found is None:
            try:
                self._keys = read_keys(self.path) or self._keys
            except ConfigError:  # half written, or away: what we have is still right
                return None
            found = self._known(id_)
        return found

    def _known(self, id_: str) -> Key | None:
        return next((key for key in self._keys if key.id == id_), None)


def keys_file() -> Path:
    """HOWDAH_KEYS, or `keys.toml` in the user's configuration folder, which need not be there."""
    told = os.environ.get("HOWDAH_KEYS")
    return Path(told).expanduser().absolute() if told else config_folder() / "keys.toml"


def load_keyring() -> Keyring | None:
    """None: nobody wants values sealed. Raises: ConfigError."""
    path = keys_file()
    if not os.environ.get("HOWDAH_KEYS") and not path.exists():
        return None
    keys = read_keys(path)
    if not keys:
        raise ConfigError(f"{path} holds no key.", hint="make one: howdah key new")
    return Keyring(path, keys)


def read_keys(path: Path) -> tuple[Key, ...]:
    """Raises: ConfigError."""
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path} can be read by others.", hint=f"chmod 600 {path}")
        document = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.", hint="correct HOWDAH_KEYS") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise ConfigError(f"{path} is not valid TOML.", hint="correct the file") from None  # the words may be a secret
    tables = document.get("keys", [])
    if set(document) - {"keys"} or not isinstance(tables, list):
        raise ConfigError(f"{path} must hold tables [[keys]] and nothing else.", hint="see docs/security.md")
    keys = tuple(_key(path, table) for table in tables)
    if len({key.id for key in keys}) < len(keys):
        raise ConfigError(f"{path}: two keys have the same id.", hint="an id is never used again")
    return keys


def _key(path: Path, table: Any) -> Key:
    where = ConfigError(f"{path}: a key has an 'id' and a 'secret' of {BYTES} bytes in base64.", hint="howdah key new")
    if not isinstance(table, dict) or set(table) != {"id", "secret"}:
        raise where
    id_, secret = table["id"], table["secret"]
    if not isinstance(id_, str) or not isinstance(secret, str) or not _ID.fullmatch(id_):
        raise where
    try:
        told = base64.b64decode(secret, validate=True)
    except ValueError:
        raise where from None
    if len(told) != BYTES:
        raise where
    return Key(id_, told)


def new_key() -> Key:
    return Key(f"{datetime.now(UTC):%Y-%m-%d}-{secrets.token_hex(2)}", secrets.token_bytes(BYTES))


def add_key(path: Path, key: Key, *, last: bool = False) -> None:
    """First, so that it seals from now on; or `last`, so that it opens what others have sealed with it."""
    keys = read_keys(path) if path.exists() else ()
    _write(path, (*keys, key) if last else (key, *keys))


def use_key(path: Path, id_: str) -> None:
    """This key seals from now on. Raises: UnknownName."""
    keys = read_keys(path)
    chosen = next((key for key in keys if key.id == id_), None)
    if chosen is None:
        raise UnknownName(f"No key {id_!r} in {path}.", hint="see what there is: howdah key list")
    _write(path, (chosen, *(key for key in keys if key.id != id_)))


def _write(path: Path, keys: Sequence[Key]) -> None:
    tables = [f'[[keys]]\nid = "{key.id}"\nsecret = "{base64.b64encode(key.secret).decode()}"\n' for key in keys]
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        save(path, "\n".join([_ABOVE, "", *tables]))  # made by mkstemp: readable by its owner only
    except OSError as error:
        raise ConfigError(
            f"Cannot write {path}: {error.strerror}.", hint="let HOWDAH_KEYS name another file"
        ) from error
