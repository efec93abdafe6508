"""What the client can see to be wrong before anything starts."""

import os
import stat
from pathlib import Path

from howdah.activities.staging.inputs import PLAIN, address_of
from howdah.activities.storage.file import local_path
from howdah.errors import DataError
from howdah.models.printable import printable
from howdah.models.spec import ExperimentSpec, Input
from howdah.plugins import StorageKind, installed, storage_for


def check_inputs(spec: ExperimentSpec, base: Path) -> list[str]:
    """Each problem in a line, such as `inputs[2]: no such file: /home/me/mesh.dat`.

    Local inputs have to exist and be readable; of URLs only the scheme is looked at.
    """
    return [
        f"inputs[{index}]: {problem}"
        for index, wanted in enumerate(spec.inputs)
        if (problem := _input_problem(wanted, base))
    ]


def check_outputs(spec: ExperimentSpec) -> list[str]:
    """Each problem in a line, such as `outputs[0]: nothing is known to store s3://`."""
    return [
        f"outputs[{index}]: {problem}"
        for index, output in enumerate(spec.outputs)
        if output.scheme and (problem := _scheme_problem(output.scheme, to_write=True))
    ]


def _input_problem(wanted: Input, base: Path) -> str:
    if wanted.text is not None:
        return ""
    if wanted.scheme and ((problem := _scheme_problem(wanted.scheme)) or wanted.scheme != PLAIN):
        return problem
    try:
        path = local_path(address_of(wanted, base.absolute()))
    except DataError as error:
        return str(error)
    except ValueError:
        return f"is not a valid URL: {wanted.source}"
    return _path_problem(path, has_sum=wanted.sha256 is not None)


def _path_problem(path: Path, *, has_sum: bool) -> str:
    try:
        kind = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return f"no such file: {path}"
    except (OSError, ValueError) as error:  # ValueError: a NUL in it
        return f"cannot be read: {printable(str(path))}: {error.strerror if isinstance(error, OSError) else error}"
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        return f"is neither a file nor a folder: {path}"
    if stat.S_ISDIR(kind) and has_sum:
        return f"is a folder, and a sha256 can be given for a file only: {path}"
    needed = os.R_OK | os.X_OK if stat.S_ISDIR(kind) else os.R_OK
    return "" if os.access(path, needed) else f"cannot be read: {path}"


def _scheme_problem(scheme: str, *, to_write: bool = False) -> str:
    kind = storage_for(scheme)
    if kind is None:
        return f"nothing is known to {'store' if to_write else 'fetch'} {scheme}://; known: {_known(to_write)}"
    if to_write and not kind.writable:
        return f"nothing can be stored at {scheme}://; known: {_known(to_write)}"
    return ""


def _known(to_write: bool) -> str:
    kinds = [kind for kind in installed(StorageKind).values() if kind.writable or not to_write]
    return ", ".join(f"{scheme}://" for scheme in sorted(scheme for kind in kinds for scheme in kind.schemes))
