"""Why a login may have been refused: what can be seen from this side."""

import os
from pathlib import Path
from typing import Any

import asyncssh

DEFAULT_KEYS = tuple(
    f"~/.ssh/id_{kind}" for kind in ("ed25519", "ecdsa", "rsa", "ed25519_sk", "ecdsa_sk", "ed448", "dsa")
)
USER_CERTIFICATE = 1
"""The type of a certificate for users, draft-miller-ssh-cert section 2."""


def credential_files(options: asyncssh.SSHClientConnectionOptions) -> tuple[list[Path], list[Path]]:
    """The keys and the certificates that a login uses."""
    keys = _paths(options.config.get("IdentityFile")) or [Path(name).expanduser() for name in DEFAULT_KEYS]
    beside = [path.with_name(f"{path.name}-cert.pub") for path in keys]
    return keys, [*_paths(options.config.get("CertificateFile")), *beside]


def reasons(options: asyncssh.SSHClientConnectionOptions) -> list[str]:
    """Sentences for people; reads the files."""
    keys, certificates = credential_files(options)
    there = [path for path in keys if path.is_file()]
    said = [f"{path}: {fault}." for path in certificates if (fault := _certificate_fault(path))]
    has_agent = bool(options.agent_path) and Path(str(options.agent_path)).exists()
    if not has_agent:
        said += [f"{path} is encrypted and no SSH agent holds it." for path in there if _is_encrypted(path)]
    if not there and not has_agent:
        said.append("There is neither a key nor an SSH agent here.")
    return said


def _certificate_fault(path: Path) -> str | None:
    try:
        validate: Any = getattr(asyncssh.read_certificate(path), "validate", None)
        if validate:  # a certificate of OpenSSH's own kind
            validate(USER_CERTIFICATE, None)
    except OSError:
        return None
    except ValueError as error:
        return str(error)
    return None


def _is_encrypted(path: Path) -> bool:
    try:
        asyncssh.read_private_key(path)
    except asyncssh.KeyEncryptionError:
        return True
    except asyncssh.KeyImportError as error:
        return "assphrase" in str(error)
    except (OSError, ValueError):
        return False
    return False


def _paths(value: object) -> list[Path]:
    names = value if isinstance(value, list | tuple) else ()
    return [Path(os.fspath(name)).expanduser() for name in names]
