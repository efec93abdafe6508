"""How long each step waited and took, how it ended, and what it brought: measured around every activity."""

import asyncio
import time
from datetime import timedelta
from typing import Any

from temporalio import activity, client, worker
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from howdah.models.causes import FailureCause
from howdah.models.job import Collected, Staged
from howdah.workers.telemetry.metrics import FILES, STEP_RUN, STEP_WAIT, STEPS, Measures
from howdah.workers.telemetry.subjects import site_of

DONE, RETRIED, FAILED, CANCELLED, HANDED_BACK = "done", "retried", "failed", "cancelled", "handed_back"
SHUTDOWN = "WorkerShutdown"
"""The type of the error with which a worker that stops hands a step to another one."""
IN, OUT = "in", "out"
_CAUSES = {str(cause) for cause in FailureCause}


class StepsMeasured(client.Interceptor, worker.Interceptor):
    def __init__(self, measures: Measures) -> None:
        self._measures = measures

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002  # the SDK's name
        return _Measured(next, self._measures)


class _Measured(ActivityInboundInterceptor):
    def __init__(self, inner: ActivityInboundInterceptor, measures: Measures) -> None:
        super().__init__(inner)
        self._measures = measures

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002  # the SDK's name
        info = activity.info()
        step, site = info.activity_type, site_of(info.task_queue) or ""
        self._measures.lasted(STEP_WAIT, step, site, time=info.started_time - info.current_attempt_scheduled_time)
        began, ended = time.monotonic(), (DONE, "")
        try:
            answer = await super().execute_activity(input)
            self._brought(site, answer)
            return answer
        except BaseException as error:
            ended = outcome(error)
            raise
        finally:
            took = timedelta(seconds=time.monotonic() - began)
            self._measures.lasted(STEP_RUN, step, site, ended[0], time=took)
            self._measures.count(STEPS, step, site, *ended)

    def _brought(self, site: str, answer: object) -> None:
        if isinstance(answer, Staged):
            self._measures.count(FILES, site, IN, by=max(0, answer.files - answer.skipped))
        if isinstance(answer, Collected):
            self._measures.count(FILES, site, OUT, by=len(answer.outputs))


def outcome(error: BaseException) -> tuple[str, str]:
    """How a try ended that raised this, and the cause: one from the closed list, `internal` for a bug."""
    if isinstance(error, asyncio.CancelledError | CancelledError):
        return CANCELLED, ""
    if not isinstance(error, ApplicationError):
        return RETRIED, FailureCause.INTERNAL
    if error.type == SHUTDOWN:
        return HANDED_BACK, ""
    cause = error.type if error.type in _CAUSES else FailureCause.INTERNAL
    return (FAILED if error.non_retryable else RETRIED), cause
