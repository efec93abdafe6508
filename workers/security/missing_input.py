"""A workflow that somebody began without the input that it needs: it fails at once.

The SDK would try its first task for ever, and nobody can hand it in later.
"""

import inspect

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import SerializationContext
from temporalio.converter._extstore import StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker._command_aware_visitor import CommandInfo
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import Info


class RefusesMissingInput(SandboxedWorkflowRunner):
    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _Refusing(super().create_instance(det), needed=_inputs(det))


def _inputs(det: WorkflowInstanceDetails) -> int:
    """How many it takes at least. Its `__init__`, if it is given them, takes the same: the SDK sees to that."""
    own = list(inspect.signature(det.defn.run_fn).parameters.values())[1:]
    return sum(one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD for one in own)


class _Refusing(WorkflowInstance):
    def __init__(self, instance: WorkflowInstance, *, needed: int) -> None:
        self._instance, self._needed = instance, needed
        self._refused = False

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        begun = next((job.initialize_workflow for job in act.jobs if job.HasField("initialize_workflow")), None)
        if begun is not None and len(begun.arguments) < self._needed:
            self._refused = True
            return _failure(f"{begun.workflow_type} was begun without the input that it needs.")
        if self._refused:  # there is nothing of it to clear away
            return _nothing()
        return self._instance.activate(act)

    def get_serialization_context(self, command_info: CommandInfo | None) -> SerializationContext | None:
        return self._instance.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: CommandInfo | None) -> StorageDriverStoreContext:
        return self._instance.get_external_store_context(command_info)

    def get_info(self) -> Info:
        return self._instance.get_info()

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()


def _nothing() -> WorkflowActivationCompletion:
    completion = WorkflowActivationCompletion()
    completion.successful.SetInParent()
    return completion


def _failure(message: str) -> WorkflowActivationCompletion:
    completion = _nothing()
    failure = completion.successful.commands.add().fail_workflow_execution.failure
    failure.message, failure.source = message, "howdah"
    failure.application_failure_info.type = "MissingInput"
    failure.application_failure_info.non_retryable = True
    return completion
