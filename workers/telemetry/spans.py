"""The spans of a trace: what is recorded, and what they say they are about. Needs the extra `tracing`.

Only of experiments: desks and books of slots live as long as their site does, and belong to no trace; and what people
ask a site now and then is none.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, StatusCode
from temporalio import client, worker, workflow
from temporalio.contrib.opentelemetry import OpenTelemetryInterceptor, ReplaySafeTracerProvider, create_tracer_provider
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)
from temporalio.workflow import ContinueAsNewError

from howdah.workers.telemetry.step_metrics import DONE, FAILED, RETRIED, outcome
from howdah.workers.telemetry.subjects import Subject, native_id_in, of_id, of_step, of_workflow
from howdah.workers.versioning.versions import build_id

Provider = ReplaySafeTracerProvider
OURS = "howdah"


def record_to(exporter: SpanExporter, *, service: str) -> Provider:
    """From now on the spans of this process go there. What the standard variables say of the process goes first."""
    ours = Resource.create({SERVICE_NAME: service, f"{OURS}.build": build_id()})
    provider = create_tracer_provider(resource=ours.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider


def interceptors() -> Sequence[client.Interceptor]:
    """The SDK's own only carries the trace on: it stands where a span of ours has begun already when something is
    sent, and has not yet begun when something arrives."""
    return _Starts(), OpenTelemetryInterceptor(), _Works()


class _Starts(client.Interceptor):
    def intercept_client(self, next: client.OutboundInterceptor) -> client.OutboundInterceptor:  # noqa: A002  # the SDK's name
        return _Start(next)


class _Start(client.OutboundInterceptor):
    async def start_workflow(self, input: client.StartWorkflowInput) -> client.WorkflowHandle[Any, Any]:  # noqa: A002  # the SDK's name
        subject = of_id(input.id, input.args[0] if input.args else None)
        if subject.experiment is None:
            return await super().start_workflow(input)
        with _tracer().start_as_current_span(
            f"start {input.workflow}", kind=SpanKind.CLIENT, attributes=_told_of(subject), record_exception=False
        ):
            return await super().start_workflow(input)


class _Works(client.Interceptor, worker.Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002  # the SDK's name
        return _Step(next)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: A002  # the SDK's name
        return _Workflow


class _Step(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002  # the SDK's name
        subject = of_step(input.args[0] if input.args else None)
        if subject.experiment is None:
            return await super().execute_activity(input)
        with _lasting(subject.step or "step", SpanKind.CONSUMER, subject) as span:
            answer = await super().execute_activity(input)
            if native_id := native_id_in(answer):
                span.set_attribute(f"{OURS}.native_id", native_id)
            return answer


class _Workflow(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002  # the SDK's name
        subject = of_workflow(input.args[0] if input.args else None)
        if subject.experiment is None:
            return await super().execute_workflow(input)
        with _lasting(workflow.info().workflow_type, SpanKind.INTERNAL, subject):
            return await super().execute_workflow(input)


@contextmanager
def _lasting(name: str, kind: SpanKind, subject: Subject) -> Iterator[Span]:
    """A span for what runs inside. Its error is told by its cause alone, for messages may hold what is nobody's
    business who reads traces.

    A workflow that only leaves this worker's memory has not ended: whoever takes it up again ends its span.
    """
    span = _tracer().start_span(name, kind=kind, attributes=_told_of(subject))
    with trace.use_span(span, record_exception=False, set_status_on_exception=False):
        try:
            yield span
        except BaseException as error:
            if not (workflow.in_workflow() and _only_leaves(error)):
                _tell_end(span, *_how(error))
            raise
        _tell_end(span, DONE, "")


def _only_leaves(error: BaseException) -> bool:
    if isinstance(error, asyncio.CancelledError):
        return workflow.cancellation_reason() is None
    return not isinstance(error, Exception | ContinueAsNewError)


def _how(error: BaseException) -> tuple[str, str]:
    return (DONE, "") if isinstance(error, ContinueAsNewError) else outcome(error)


def _tell_end(span: Span, how: str, cause: str) -> None:
    span.set_attribute(f"{OURS}.outcome", how)
    if how in (FAILED, RETRIED):
        span.set_attribute(f"{OURS}.cause", cause)
        span.set_status(StatusCode.ERROR, cause)
    span.end()


def _told_of(subject: Subject) -> dict[str, str | int]:
    return {f"{OURS}.{name}": value for name, value in subject.known.items()}


def _tracer() -> trace.Tracer:
    return trace.get_tracer(OURS)
