"""Which code is which build: a release, and a digest of the code itself. Read from a folder, so that it holds for what
lies there now, whatever this process has imported.
"""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

import howdah

DEPLOYMENT = "howdah"
"""Of the workers of the built-in job types. A bundle's deployment has the bundle's name."""
CODE = (".py", ".sh")
_DIGITS = 8


def installed_build() -> str:
    """Raises: OSError, ValueError while the package is being replaced."""
    return build_of(package_folder())


def build_of(package: Path) -> str:
    """The build of the code in this folder, such as `0.2.0-1f0c9a3e`. Raises: OSError; ValueError if it is none."""
    return f"{_release(package)}-{code_digest(package)}"


def package_folder() -> Path:
    return Path(howdah.__file__).parent


def code_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in code_files(folder):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:_DIGITS]


def code_files(folder: Path) -> Iterator[Path]:
    """In an order that is the same everywhere. The links to the root folders of a checkout are followed."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and entry.name != "__pycache__":
            yield from code_files(entry)
        elif entry.suffix in CODE:
            yield entry


def _release(package: Path) -> str:
    """`__version__` of that code."""
    try:
        statements = ast.parse((package / "__init__.py").read_text()).body
    except SyntaxError as error:
        raise ValueError(f"{package} is written only in part") from error
    for statement in statements:
        match statement:
            case ast.Assign(targets=[ast.Name(id="__version__")], value=ast.Constant(value=str() as release)):
                return release
    raise ValueError(f"{package} does not say its version")
