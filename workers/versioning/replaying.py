"""Whether the workflow code that is installed here can go on from histories."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files

from temporalio.client import Client, WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer

from howdah.models.versions import Misfit, Replayed
from howdah.workers.payloads import data_converter
from howdah.workers.sandbox import workflow_runner
from howdah.workers.security.protection import examiners
from howdah.workers.telemetry.observing import runtime

LONGEST_REASON = 500


@dataclass(frozen=True)
class Code:
    """Workflows, and the modules that they share besides howdah's own."""

    workflows: Sequence[type]
    trusts: Sequence[str] = ()


async def replayed(
    histories: AsyncIterator[WorkflowHistory],
    code: Code,
    converter: DataConverter,
    *,
    of: int = 0,
    client: Client | None = None,
) -> Replayed:
    """Replay one history after the other; `of`: how many there are beyond those, if there are. `client`: whose they
    are, for values are signed and sealed for a namespace."""
    replayer = Replayer(
        workflows=code.workflows,
        workflow_runner=workflow_runner(also=code.trusts),
        data_converter=converter,
        runtime=runtime(),
        namespace=client.namespace if client else "default",
        interceptors=examiners(client) if client else [],
    )
    count = 0
    misfits: list[Misfit] = []
    async for history in histories:
        count += 1
        if (failure := await _failure(replayer, history)) is not None:
            job_type = history.events[0].workflow_execution_started_event_attributes.workflow_type.name
            misfits.append(Misfit(id=history.workflow_id, job_type=job_type, why=in_words(failure)))
    return Replayed(replayed=count, of=max(of, count), misfits=tuple(misfits))


async def _failure(replayer: Replayer, history: WorkflowHistory) -> Exception | None:
    """One at a time: of several, the replayer goes on to the next only while all fit."""
    try:
        return (await replayer.replay_workflow(history, raise_on_replay_failure=False)).replay_failure
    except RuntimeError as error:  # a workflow type that this code has not, for one
        return error


def in_words(failure: Exception) -> str:
    """The SDK puts its message into a structure of its own, as a text."""
    text = str(failure)
    found = re.search(r'message: "((?:[^"\\]|\\.)+)"', text)
    return (found[1] if found else text)[:LONGEST_REASON]


async def recorded_histories() -> AsyncIterator[WorkflowHistory]:
    """Those of this and earlier releases, which come with the package."""
    for file in sorted(files("howdah").joinpath("histories").iterdir(), key=lambda one: one.name):
        if file.name.endswith(".json"):
            yield WorkflowHistory.from_json(file.name.removesuffix(".json"), file.read_text())


def as_recorded() -> DataConverter:
    """How they were written: as they are, without what an installation puts around its payloads."""
    return replace(data_converter(), payload_codec=None)


async def histories_of(client: Client, query: str, most: int) -> AsyncIterator[WorkflowHistory]:
    """Of what visibility finds, the newest first. What has ended and gone meanwhile is left out."""
    async for execution in client.list_workflows(query, limit=most):
        history = await history_of(client, execution.id, execution.run_id)
        if history:
            yield history


async def history_of(client: Client, workflow_id: str, run_id: str | None = None) -> WorkflowHistory | None:
    """None when it is not there, or has not begun: then there is nothing that new code could be at odds with."""
    try:
        history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    begun = any(event.HasField("workflow_task_completed_event_attributes") for event in history.events)
    return history if begun else None
