"""The key that signs for an embedded server: made once, before that server first starts, and readable by its owner."""

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from pydantic import Field

from howdah.errors import ConfigError
from howdah.workers.state import Record, StateFolder

FILE = "signing.key"
_BYTES = 32


class SigningKey(Record):
    """`made` in seconds since 1970: what the server was given before bears no signature. 0: there was nothing before,
    so that no clock and no stranger in the server's place can make anything pass for older."""

    secret: str = Field(repr=False, min_length=2 * _BYTES, max_length=2 * _BYTES, pattern="[0-9a-f]+")
    made: float

    @classmethod
    def new(cls, *, made: float) -> Self:
        return cls(secret=secrets.token_hex(_BYTES), made=made)

    @property
    def key(self) -> bytes:
        return bytes.fromhex(self.secret)


def make_signing_key(folder: StateFolder) -> None:
    """To be called before the server listens: only then it is certain that whatever comes later can be signed.

    Of two that do this at once one wins, and both use what it made.
    """
    path = folder.root / FILE
    beside = folder.root / f".{FILE}.{secrets.token_hex(4)}"
    if path.exists():
        return
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            made = time.time() if folder.database.exists() else 0
            file.write(SigningKey.new(made=made).model_dump_json())
            file.flush()
            os.fsync(file.fileno())  # experiments that it signs outlive a loss of power, and so must it
        with suppress(FileExistsError):
            os.link(beside, path)
    finally:
        beside.unlink()


def read_signing_key(folder: StateFolder) -> SigningKey | None:
    """None: the server that runs was started by a release that did not sign. Raises: ConfigError."""
    path = folder.root / FILE
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path} can be read by others.", hint=f"chmod 600 {path}; see docs/security.md")
        return SigningKey.model_validate_json(path.read_text())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise _unusable(path, "it is no key") from error


def _unusable(path: Path, why: str) -> ConfigError:
    return ConfigError(f"{path} cannot be used: {why}.", hint="howdah down; remove it; howdah up makes a new one")
