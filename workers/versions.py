"""Which code a worker runs: the name of its deployment, and a build id made of the package itself."""

import hashlib
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

import howdah

DEPLOYMENT = "howdah"
"""Of the workers of the built-in job types. A bundle's deployment has the bundle's name."""
CODE = (".py", ".sh")
_DIGITS = 8


@cache
def build_id() -> str:
    """The release and a digest of the code, such as `0.2.0-1f0c9a3e`; TEMPORAL_WORKER_BUILD_ID says it otherwise.

    Two installations of the same release are one build; the slightest change of code is another one.
    """
    return os.environ.get("TEMPORAL_WORKER_BUILD_ID") or f"{howdah.__version__}-{code_digest(package_folder())}"


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


def deployment_name(ours: str = DEPLOYMENT) -> str:
    """TEMPORAL_DEPLOYMENT_NAME says it otherwise."""
    return os.environ.get("TEMPORAL_DEPLOYMENT_NAME") or ours


def deployment_of(deployment: str, *, workflows: bool) -> WorkerDeploymentConfig:
    """What a worker says of itself. Job types are pinned to the version that began them; the steps of sites serve
    workflows of every version, so their workers only tell which build they are."""
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=deployment, build_id=build_id()),
        use_worker_versioning=workflows,
        default_versioning_behavior=VersioningBehavior.PINNED if workflows else VersioningBehavior.UNSPECIFIED,
    )
