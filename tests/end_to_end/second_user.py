"""Another user of this machine, who found the port of an embedded server: `ADDRESS EXPERIMENT MARKER`.

Given root's rights to begin with, it drops them before it connects. It tries what it can, with the very code of
howdah but without its key, and prints what came of each try as one JSON object. What it wants is to make MARKER.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest
from temporalio.client import ActivityFailureError, Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from howdah import names
from howdah.models.desk import Pause, SiteState
from howdah.models.job import Attempt, Job, Resolution
from howdah.models.slots import Ask
from howdah.steps import Step, batch, questions
from howdah.testing.jobs import job_at
from howdah.workers.payloads import data_converter

SOMEBODY = 65534
NOW = datetime.now(UTC)
ELSEWHERE = "elsewhere"
TRIES = 3
"""A step that may be tried again at once, and so often, says in the end of what kind its last failure was."""


class Intruder:
    def __init__(self, client: Client, experiment: str, marker: str) -> None:
        self.client, self.experiment, self.marker = client, experiment, marker

    def job(self) -> Job:
        return job_at("local", command=f"touch {self.marker}", base="/tmp")

    async def begins_an_experiment(self) -> Any:
        job = self.job()
        return await self.client.execute_workflow(names.HPC, job, id=job.experiment, task_queue=names.WORKFLOW_QUEUE)

    async def begins_one_without_input(self) -> Any:
        return await self.client.execute_workflow(
            names.HPC, id=f"without-input-{uuid4().hex[:6]}", task_queue=names.WORKFLOW_QUEUE
        )

    async def begins_a_desk(self) -> Any:
        return await self.client.execute_workflow(
            names.SITE_DESK,
            SiteState(site=ELSEWHERE, pause=Pause(by="me", since=NOW)),
            id=names.DESK_ID.format(site=ELSEWHERE),
            task_queue=names.WORKFLOW_QUEUE,
            memo={names.MEMO_DESK: SiteState(site=ELSEWHERE, pause=Pause(by="me", since=NOW))},
        )

    async def begins_a_book_of_slots(self) -> Any:
        return await self.client.execute_workflow(
            names.SITE_SLOTS, id=names.SLOTS_ID.format(site=ELSEWHERE), task_queue=names.WORKFLOW_QUEUE
        )

    async def prepares(self) -> Any:
        return await self._step(batch.prepare, Attempt.of(self.job(), number=1, workflow_id="w", first_run_id="w"))

    async def submits(self) -> Any:
        return await self._step(batch.submit, Attempt.of(self.job(), number=1, workflow_id="w", first_run_id="w"))

    async def cleans_up_without_input(self) -> Any:
        return await self._step(batch.cleanup)

    async def asks_a_site_without_input(self) -> Any:
        return await self._step(questions.check)

    async def submits_what_was_submitted(self) -> Any:
        """The input of a step, copied from its history."""
        (scheduled,) = [
            event.activity_task_scheduled_event_attributes
            for event in await self._history()
            if event.activity_task_scheduled_event_attributes.activity_type.name == batch.submit.name
        ]
        return await self._step(batch.submit, RawValue(scheduled.input.payloads[0]), headers=scheduled.header.fields)

    async def begins_what_was_begun_as_another(self) -> Any:
        return await self._begin_again("copied")

    async def begins_what_was_begun_under_its_own_id(self) -> Any:
        """It runs, so this says no more than that; the run that is there is not harmed."""
        return await self._begin_again(self.experiment)

    async def answers_for_its_owner(self) -> Any:
        change = Resolution(retry=True, spec=self.job().spec, by="me")
        return await self.client.get_workflow_handle(self.experiment).execute_update(names.RESOLVE, change)

    async def answers_without_words(self) -> Any:
        return await self.client.get_workflow_handle(self.experiment).execute_update(names.RESOLVE)

    async def pauses_its_site(self) -> Any:
        desk = self.client.get_workflow_handle(names.DESK_ID.format(site="local"))
        return await desk.execute_update(names.PAUSE, Pause(by="me", since=NOW))

    async def takes_slots(self) -> Any:
        book = self.client.get_workflow_handle(names.SLOTS_ID.format(site="local"))
        return await book.execute_update(names.EXCHANGE, Ask(worker="me", number=1))

    async def signals_without_words(self) -> Any:
        for workflow in (self.experiment, names.DESK_ID.format(site="local")):
            await self._signal(workflow)

    async def signals_what_nobody_said(self) -> Any:
        for workflow in (self.experiment, names.DESK_ID.format(site="local")):
            await self._signal(workflow, Payload(metadata={"encoding": b"json/plain"}, data=b'{"worker": "me"}'))

    async def _signal(self, workflow: str, *payloads: Payload) -> None:
        request = SignalWorkflowExecutionRequest(
            namespace=self.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow),
            signal_name=names.REPORT,
        )
        request.input.payloads.extend(payloads)
        await self.client.workflow_service.signal_workflow_execution(request)

    async def _step(self, step: Step[Any, Any], *given: Any, headers: Any = None) -> Any:
        on = batch.queue("local", (batch.CAPABILITY_OF | questions.CAPABILITY_OF)[step.name])
        return await self.client.execute_activity(
            step.name,
            args=given,
            id=f"mine/{step.name}/{len(given)}/{headers is None}",
            task_queue=on,
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(maximum_attempts=TRIES, initial_interval=timedelta(milliseconds=1)),
        )

    async def _begin_again(self, id_: str) -> Any:
        begun = (await self._history())[0].workflow_execution_started_event_attributes
        request = StartWorkflowExecutionRequest(
            namespace=self.client.namespace,
            workflow_id=id_,
            workflow_type=begun.workflow_type,
            task_queue=TaskQueue(name=names.WORKFLOW_QUEUE),
            input=begun.input,
            header=begun.header,
            memo=begun.memo,
            request_id=id_,
        )
        await self.client.workflow_service.start_workflow_execution(request)
        return await self.client.get_workflow_handle(id_).result()

    async def _history(self) -> list[HistoryEvent]:
        handle = self.client.get_workflow_handle(self.experiment)
        return [event async for event in handle.fetch_history_events()]


async def outcome(attempt: Callable[[], Awaitable[Any]]) -> str:
    try:
        return f"done: {await asyncio.wait_for(attempt(), 20)}"
    except (WorkflowFailureError, ActivityFailureError, WorkflowUpdateFailedError) as error:
        cause = error.cause
        return f"{cause.type}" if isinstance(cause, ApplicationError) else repr(cause)
    except RPCError as error:
        return f"server: {error.status.name if error.status else ''}"
    except TimeoutError:
        return "nothing"


async def main(address: str, experiment: str, marker: str) -> None:
    client = await Client.connect(address, data_converter=data_converter())
    intruder = Intruder(client, experiment, marker)
    attempts = [name for name in vars(Intruder) if not name.startswith("_") and name != "job"]
    told = await asyncio.gather(*(outcome(getattr(intruder, name)) for name in attempts))
    sys.stdout.write(json.dumps(dict(zip(attempts, told, strict=True))))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    os.setgroups([])
    os.setgid(SOMEBODY)
    os.setuid(SOMEBODY)
    asyncio.run(main(*sys.argv[1:]))
