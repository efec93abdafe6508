"""A version that is to end: what still runs on it, and what can go over to the current one."""

from collections.abc import Sequence

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.client import ActivityFailureError, Client
from temporalio.client import WorkflowExecution as Running
from temporalio.common import PinnedVersioningOverride, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode

from howdah.cli.deployed import DrainShown, StillThere
from howdah.cli.deploying import find_version, known_versions
from howdah.cli.errors import CommandFailed
from howdah.errors import UserError
from howdah.models.versions import Replayed, Version, VersionStatus
from howdah.workers.versioning.deployments import NO_EXPERIMENTS, on_version
from howdah.workers.versioning.passing import replayed_by
from howdah.workers.versioning.refusals import refusals_told

ENDED = "it has ended meanwhile"


async def drain(client: Client, deployment: str, build: str, *, move: bool) -> DrainShown:
    """Raises: UserError for the current version, CommandFailed when nobody can try what is to move."""
    versions = await known_versions(client, deployment)
    version = find_version(versions, build)
    if version.status in (VersionStatus.CURRENT, VersionStatus.RAMPING):
        raise UserError(
            f"New experiments begin on {version.build}: it does not drain.",
            hint="promote another version first: howdah deploy promote; or end its ramp: howdah deploy rollback",
        )
    there = [one async for one in client.list_workflows(_pinned(version))]
    if not move or not there:
        shown = tuple(StillThere(id=one.id, job_type=one.workflow_type) for one in there)
        return _answer(version, None, shown)
    current = next((one for one in versions if one.status is VersionStatus.CURRENT), None)
    if current is None or not current.workers:
        raise CommandFailed(
            f"No worker runs the current version of {deployment}, so nothing can be tried on it.",
            hint="start one: howdah worker start --workflows",
        )
    return _answer(version, current.build, await _moved(client, current, there))


def _pinned(version: Version) -> str:
    """Desks and slots go over by themselves, and a self-test is of its own version."""
    others = " AND ".join(f"WorkflowType != '{kind}'" for kind in NO_EXPERIMENTS)
    return f"{on_version(version.deployment, version.build)} AND ExecutionStatus = 'Running' AND {others}"


async def _moved(client: Client, to: Version, there: Sequence[Running]) -> tuple[StillThere, ...]:
    """One by one: whatever cuts this off, what has moved has been replayed before."""
    moved: list[StillThere] = []
    for one in there:
        found = await _tried(client, one, to)
        if found.misfits:
            moved.append(StillThere.that_stays(found.misfits[0]))
        else:
            moved.append(await _pin(client, one, to))
    return tuple(moved)


async def _tried(client: Client, one: Running, on: Version) -> Replayed:
    try:
        with refusals_told():
            return await replayed_by(client, on.deployment, on.build, one.task_queue, one.id)
    except ActivityFailureError as error:
        raise CommandFailed(
            f"The workers of {on.build} do not answer: {error.cause}", hint="see who serves it: howdah deploy list"
        ) from error


async def _pin(client: Client, one: Running, to: Version) -> StillThere:
    version = WorkerDeploymentVersion(deployment_name=to.deployment, build_id=to.build)
    options = WorkflowExecutionOptions(versioning_override=PinnedVersioningOverride(version)._to_proto())
    try:
        await client.workflow_service.update_workflow_execution_options(
            UpdateWorkflowExecutionOptionsRequest(
                namespace=client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=one.id, run_id=one.run_id),
                workflow_execution_options=options,
                update_mask=FieldMask(paths=["versioning_override"]),
                identity=client.identity,
            )
        )
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return StillThere(id=one.id, job_type=one.workflow_type, moved=True, why=ENDED)
    return StillThere(id=one.id, job_type=one.workflow_type, moved=True)


def _answer(version: Version, to: str | None, there: tuple[StillThere, ...]) -> DrainShown:
    moved = sum(one.moved for one in there)
    left = len(there) - moved
    over = f"; {moved} went over to {to}" if moved else ""
    if left:
        message = f"{left} of {len(there)} experiments are still pinned to {version.build}{over}"
    else:
        message = f"nothing is pinned to {version.build} any more{over}: its workers can be stopped"
    return DrainShown(deployment=version.deployment, build=version.build, to=to, experiments=there, message=message)
