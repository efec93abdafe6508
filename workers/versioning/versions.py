"""Which code a worker runs: the name of its deployment, and a build id made of the package itself."""

import os
from functools import cache

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

import howdah
from howdah.workers.versioning.builds import DEPLOYMENT, code_digest, package_folder


@cache
def build_id() -> str:
    """The release and a digest of the code, such as `0.2.0-1f0c9a3e`; TEMPORAL_WORKER_BUILD_ID says it otherwise.

    Two installations of the same release are one build; the slightest change of code is another one.
    """
    return os.environ.get("TEMPORAL_WORKER_BUILD_ID") or f"{howdah.__version__}-{code_digest(package_folder())}"


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
