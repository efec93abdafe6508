"""Between our code and Temporal: what goes out is countersigned, what comes in is examined."""

from collections.abc import Awaitable, Callable
from time import time
from typing import Any, NoReturn
from uuid import uuid4

from temporalio import activity, client, worker, workflow

from howdah.workers.security.countersigning import (
    Countersign,
    Headers,
    child_of,
    question_of,
    signal_of,
    start_of,
    step_of,
    update_of,
)
from howdah.workers.security.refusing import NotSigned
from howdah.workers.security.signing import Words

OldRun = Callable[[str, str], Awaitable[bool]]
"""Whether this run (workflow id, run id) was begun before there was a key."""


class Countersigning(client.Interceptor, worker.Interceptor):
    """Of clients, and of the workers made of them. `is_old_run` is asked about steps only: a workflow knows itself."""

    def __init__(self, countersign: Countersign, *, namespace: str, is_old_run: OldRun) -> None:
        self._countersign, self._namespace, self._is_old_run = countersign, namespace, is_old_run

    def intercept_client(self, next: client.OutboundInterceptor) -> client.OutboundInterceptor:
        return _Asking(next, self._countersign, self._namespace)

    def intercept_activity(self, next: worker.ActivityInboundInterceptor) -> worker.ActivityInboundInterceptor:
        return _CarryingOut(next, self._countersign, self._is_old_run)

    def workflow_interceptor_class(
        self, input: worker.WorkflowInterceptorClassInput
    ) -> type[worker.WorkflowInboundInterceptor]:
        countersign = self._countersign

        class Answering(_Answering):
            """The SDK makes one for each workflow, and gives it nothing."""

            def init(self, outbound: worker.WorkflowOutboundInterceptor) -> None:
                self.countersign = countersign
                super().init(outbound)

        return Answering


class _Asking(client.OutboundInterceptor):
    def __init__(self, next: client.OutboundInterceptor, countersign: Countersign, namespace: str) -> None:
        super().__init__(next)
        self._countersign, self._namespace = countersign, namespace

    async def start_workflow(self, input: client.StartWorkflowInput) -> client.WorkflowHandle[Any, Any]:
        words = start_of(self._namespace, input.id, input.workflow)
        input.headers = self._countersign.on(input.headers, words, at=time())
        return await super().start_workflow(input)

    async def signal_workflow(self, input: client.SignalWorkflowInput) -> None:
        words = signal_of(self._namespace, input.id, input.signal)
        input.headers = self._countersign.on(input.headers, words)
        await super().signal_workflow(input)

    async def start_workflow_update(self, input: client.StartWorkflowUpdateInput) -> client.WorkflowUpdateHandle[Any]:
        input.update_id = input.update_id or str(uuid4())
        words = update_of(self._namespace, input.id, input.update, input.update_id)
        input.headers = self._countersign.on(input.headers, words)
        return await super().start_workflow_update(input)

    async def start_update_with_start_workflow(
        self, input: client.StartWorkflowUpdateWithStartInput
    ) -> client.WorkflowUpdateHandle[Any]:
        start, update = input.start_workflow_input, input.update_workflow_input
        update.update_id = update.update_id or str(uuid4())
        words = update_of(self._namespace, start.id, update.update, update.update_id)
        update.headers = self._countersign.on(update.headers, words)
        start.headers = self._countersign.on(
            start.headers, start_of(self._namespace, start.id, start.workflow), at=time()
        )
        return await super().start_update_with_start_workflow(input)

    async def start_activity(self, input: client.StartActivityInput) -> client.ActivityHandle[Any]:
        words = question_of(self._namespace, input.id, input.activity_type)
        input.headers = self._countersign.on(input.headers, words)
        return await super().start_activity(input)


class _CarryingOut(worker.ActivityInboundInterceptor):
    def __init__(self, next: worker.ActivityInboundInterceptor, countersign: Countersign, is_old_run: OldRun) -> None:
        super().__init__(next)
        self._countersign, self._is_old_run = countersign, is_old_run

    async def execute_activity(self, input: worker.ExecuteActivityInput) -> Any:
        info = activity.info()
        if info.workflow_id:
            words = step_of(info.namespace, info.workflow_id, info.activity_type)
            old = (info.workflow_id, info.workflow_run_id or "")
        else:
            words, old = question_of(info.namespace, info.activity_id, info.activity_type), None
        if not self._countersign.is_on(input.headers, words) and not (old and await self._is_old_run(*old)):
            raise NotSigned(f"{info.activity_type} {info.activity_id}")
        return await super().execute_activity(input)


class _Answering(worker.WorkflowInboundInterceptor):
    """Runs inside workflows, and again in every replay: it decides by what the history says, and the key."""

    countersign: Countersign

    def init(self, outbound: worker.WorkflowOutboundInterceptor) -> None:
        super().init(_Instructing(outbound, self.countersign))

    async def execute_workflow(self, input: worker.ExecuteWorkflowInput) -> Any:
        if not self._is_older() and not self._is_begun_by_us(input.headers):
            raise NotSigned(f"the start of {workflow.info().workflow_id}")
        return await super().execute_workflow(input)

    async def handle_signal(self, input: worker.HandleSignalInput) -> None:
        """A signal that comes with a start has the header of the start. One that is not ours is as if never sent."""
        info = workflow.info()
        either = (
            signal_of(info.namespace, info.workflow_id, input.signal),
            start_of(info.namespace, info.workflow_id, info.workflow_type),
        )
        if self._is_older() or any(self.countersign.is_on(input.headers, words) for words in either):
            await super().handle_signal(input)
        else:
            workflow.logger.warning("refused the signal %s: it does not bear our signature", input.signal)

    def handle_update_validator(self, input: worker.HandleUpdateInput) -> None:
        self._examine(input)
        super().handle_update_validator(input)

    async def handle_update_handler(self, input: worker.HandleUpdateInput) -> Any:
        self._examine(input)
        return await super().handle_update_handler(input)

    def _examine(self, update: worker.HandleUpdateInput) -> None:
        info = workflow.info()
        words = update_of(info.namespace, info.workflow_id, update.update, update.id)
        if not self._is_older() and not self.countersign.is_on(update.headers, words):
            raise NotSigned(f"the update {update.update} of {info.workflow_id}")

    def _is_begun_by_us(self, headers: Headers) -> bool:
        info = workflow.info()
        words = start_of(info.namespace, info.workflow_id, info.workflow_type)
        if self.countersign.is_on(headers, words, at=info.workflow_start_time.timestamp()):
            return True
        if (parent := info.parent) is None:
            return False
        words = child_of(info.namespace, parent.workflow_id, parent.run_id, info.workflow_id, info.workflow_type)
        return self.countersign.is_on(headers, words)

    def _is_older(self) -> bool:
        return self.countersign.is_older(workflow.info().workflow_start_time)


class _Instructing(worker.WorkflowOutboundInterceptor):
    """Headers are no part of what a replay compares, so these need no patch."""

    def __init__(self, next: worker.WorkflowOutboundInterceptor, countersign: Countersign) -> None:
        super().__init__(next)
        self._countersign = countersign

    def start_activity(self, input: worker.StartActivityInput) -> workflow.ActivityHandle[Any]:
        input.headers = self._countersign.on(input.headers, self._step(input.activity))
        return super().start_activity(input)

    def start_local_activity(self, input: worker.StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
        input.headers = self._countersign.on(input.headers, self._step(input.activity))
        return super().start_local_activity(input)

    async def start_child_workflow(
        self, input: worker.StartChildWorkflowInput
    ) -> workflow.ChildWorkflowHandle[Any, Any]:
        info = workflow.info()
        words = child_of(info.namespace, info.workflow_id, info.run_id, input.id, input.workflow)
        input.headers = self._countersign.on(input.headers, words)
        return await super().start_child_workflow(input)

    async def signal_child_workflow(self, input: worker.SignalChildWorkflowInput) -> None:
        words = signal_of(workflow.info().namespace, input.child_workflow_id, input.signal)
        input.headers = self._countersign.on(input.headers, words)
        await super().signal_child_workflow(input)

    async def signal_external_workflow(self, input: worker.SignalExternalWorkflowInput) -> None:
        words = signal_of(input.namespace, input.workflow_id, input.signal)
        input.headers = self._countersign.on(input.headers, words)
        await super().signal_external_workflow(input)

    def continue_as_new(self, input: worker.ContinueAsNewInput) -> NoReturn:
        info = workflow.info()
        words = start_of(info.namespace, info.workflow_id, input.workflow or info.workflow_type)
        input.headers = self._countersign.on(input.headers, words, at=workflow.time())
        super().continue_as_new(input)

    def _step(self, kind: str) -> Words:
        info = workflow.info()
        return step_of(info.namespace, info.workflow_id, kind)
