"""Steps that never give up silently: what fails for good waits for an operator's answer.

The one place that deals with how a cancel may go astray in Temporal:

* A cancel that races with a step that finishes normally is not seen by that step (it was waited for, and
  its answer is worth having). So every step begins by asking whether the job was cancelled meanwhile.
* A cancel that comes while something is being undone must not cut the undo in half: `must_finish`.
"""

import asyncio
from collections.abc import Collection, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from temporalio.exceptions import TimeoutError as OutOfTime

from howdah import names
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt, Job, Resolution
from howdah.models.progress import Failure, Progress
from howdah.models.states import JobState, StepState
from howdah.steps import Step, batch, questions
from howdah.workflows.answering import bad_answer, record_of
from howdah.workflows.chronicle import Chronicle
from howdah.workflows.course import NEEDS_A_NEW_ATTEMPT, Course, course_at
from howdah.workflows.story import publish

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out")

FAILS_AT_ONCE = {FailureCause.OUTPUT_MISSING}
"""Permanent failures that no operator can mend where they stand: the job itself has to run again."""


class JobFailed(Exception):
    """This attempt came to nothing."""

    def __init__(self, failure: Failure, *, given_up: bool = False) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.given_up = given_up
        """An operator said so: no further attempt."""


class Resubmit(Exception):
    """The operator wants another attempt, with changes. What began under the first release has not `taken` them yet."""

    def __init__(self, resolution: Resolution, *, taken: bool) -> None:
        super().__init__("resubmit")
        self.resolution = resolution
        self.taken = taken


class Supervised:
    """A base for job types: recorded steps, a query, and a question in place of a permanent failure."""

    def __init__(self, job: Job, job_type: str) -> None:
        self.job = job
        """As operators want it by now."""
        self.chronicle = Chronicle(job, job_type)
        self._resolution: Resolution | None = None

    @workflow.query(name=names.PROGRESS)
    def progress(self) -> Progress:
        return self.chronicle.progress

    @workflow.update(name=names.RESOLVE)
    def resolve(self, resolution: Resolution) -> None:
        self._resolution = resolution

    @resolve.validator
    def _only_what_can_be_taken(self, resolution: Resolution) -> None:
        """Whatever is let through is acted on, so nothing may come through that would stop the workflow."""
        progress = self.chronicle.progress
        asked = progress.waiting.since if progress.waiting else progress.next_attempt
        if asked is None:
            raise ApplicationError("It does not wait for an operator.", type="NotWaiting")
        if resolution.since is not None and resolution.since != asked:
            raise ApplicationError("That question has been answered; it waits for another now.", type="NotWaiting")
        if self._resolution is not None:
            raise ApplicationError("Somebody else has just answered.", type="NotWaiting")
        if (resolution.changes or resolution.results) and self.is_ending:
            raise ApplicationError("It ends after this: it can only be tried as it is, or given up.", type="BadAnswer")
        if trouble := bad_answer(self.job, resolution):
            raise ApplicationError(trouble, type="BadAnswer")

    def told(self) -> Job:
        """The job as steps are told of it. What is not the same for all attempts a bundle puts into its spec here."""
        return self.job.for_steps

    @property
    def is_ending(self) -> bool:
        """Nothing but undoing is left to do: what is to be otherwise would never be."""
        return workflow.cancellation_reason() is not None

    def enter(self, state: JobState) -> None:
        """Go to `state`, and let everybody see it."""
        if self.chronicle.enter(state, workflow.now()):
            publish(self.chronicle.progress)

    async def step(
        self,
        step: Step[In, Out],
        arg: In,
        *,
        at: str,
        state: JobState,
        undoing: bool = False,
        fails_on: Collection[FailureCause] = (),
    ) -> Out:
        """Carry out `step` at the site `at`; on a permanent failure ask the operator, as often as it takes.

        Raises: JobFailed for causes of `fails_on`, and for what the operator gives up; Resubmit for another attempt.
        """
        while True:
            if not undoing:
                stop_if_cancelled()
            self.enter(state)
            try:
                return await self.once(step, arg, at=at)
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise asyncio.CancelledError from error
                if not undoing:
                    stop_if_cancelled()  # it failed while it was being cancelled: nobody waits for an answer now
                failure = failure_of(error)
                if failure.cause in fails_on:
                    raise JobFailed(failure) from None
                await self._ask(step.name, failure)

    async def once(self, step: Step[In, Out], arg: In, *, at: str) -> Out:
        """Carry out `step` and record how it went."""
        self.chronicle.begin_step(step.name, workflow.now())
        publish(self.chronicle.progress)
        ended = StepState.CANCELLED
        message = None
        try:
            result = await step(_for(self.told(), arg), on=_queue(step.name, at), summary=self._summary(at))
            ended = StepState.DONE
            return result
        except ActivityError as error:
            if not is_cancelled_exception(error):
                ended, message = StepState.FAILED, failure_of(error).message
            raise
        finally:
            self.chronicle.end_step(ended, workflow.now(), message)

    def _summary(self, at: str) -> str:
        """What the Web UI says beside a step."""
        attempt = self.chronicle.progress.attempt
        if attempt is None:
            return f"at {at}"
        native = f", batch job {attempt.native_id}" if attempt.native_id else ""
        return f"attempt {attempt.number} at {at}{native}"

    async def _ask(self, step: str, failure: Failure) -> None:
        """Wait for the operator. Returns to try again; raises Resubmit or JobFailed."""
        if failure.cause in FAILS_AT_ONCE:
            raise JobFailed(failure)
        self._resolution = None
        self.chronicle.wait(step, failure, workflow.now())
        self.enter(JobState.WAITING)
        try:
            await workflow.wait_condition(lambda: self._resolution is not None)
        finally:
            self.chronicle.resume()
        answer, self._resolution = self._resolution, None
        if answer is None or not answer.retry:
            self.note_answer(answer, failure, step, Course.AGAIN)
            raise JobFailed(failure, given_up=True)
        self._act_on(answer, failure, step)

    async def answer_within(self, pause: timedelta, why: str) -> Resolution | None:
        """Wait; tells what an operator said meanwhile, if anybody did."""
        self._resolution = None
        self.chronicle.close_attempt(workflow.now())
        self.chronicle.note(next_attempt=workflow.now() + pause)
        self.enter(JobState.CREATED)
        try:
            with suppress(TimeoutError):
                await workflow.wait_condition(lambda: self._resolution is not None, timeout=pause, timeout_summary=why)
        finally:
            self.chronicle.note(next_attempt=None)
        answer, self._resolution = self._resolution, None
        return answer

    def _act_on(self, answer: Resolution, failure: Failure, step: str) -> None:
        """Returns when the step is to be tried again, as the job is to be now; raises Resubmit otherwise."""
        by_effect = workflow.patched(names.PATCH_EFFECT)
        course = course_at(step, failure.cause, self.job, self.job.changed_by(answer))
        if not by_effect:
            course = Course.ATTEMPT if answer.changes or failure.cause in NEEDS_A_NEW_ATTEMPT else Course.AGAIN
        self.note_answer(answer, failure, step, course)
        if by_effect:
            self.take(answer)  # at once: before there is another attempt somebody may answer once more
        if course is Course.ATTEMPT:
            raise Resubmit(answer, taken=by_effect)

    def take(self, answer: Resolution) -> None:
        """What the operator wants otherwise from now on."""
        self.job = self.job.changed_by(answer)
        self.chronicle.note(results=self.job.results)

    def note_answer(self, answer: Resolution | None, failure: Failure, step: str, course: Course) -> None:
        """Who answered what belongs to the history of a job."""
        if answer:
            changed = self.job.changed_by(answer)
            told = record_of(answer, self.job, changed, failure, step=step, course=course, now=workflow.now())
            self.chronicle.answered(told)


def _queue(step: str, at: str) -> str:
    """Of the site, or for a bundle's own steps where its workflows are."""
    capability = batch.CAPABILITY_OF.get(step) or questions.CAPABILITY_OF.get(step)
    return batch.queue(at, capability) if capability else workflow.info().task_queue


def _for(job: Job, arg: In) -> In:
    """What a step is told, with the job as it is to be by now."""
    if isinstance(arg, Attempt):
        return arg.model_copy(update={"job": job})
    attempt = getattr(arg, "attempt", None)
    changed = {"attempt": attempt.model_copy(update={"job": job})} if isinstance(attempt, Attempt) else {}
    return arg.model_copy(update=changed)


def stop_if_cancelled() -> None:
    """Raise what a cancel would have raised, had it not been lost on the way (sdk-python issue 1671)."""
    task = asyncio.current_task()
    if workflow.cancellation_reason() is not None or (task is not None and task.cancelling()):
        raise asyncio.CancelledError


async def must_finish(work: Coroutine[Any, Any, Out]) -> Out:
    """Await `work` to its end in a task of its own, whatever cancel arrives; then let the cancel through."""
    try:
        task = asyncio.create_task(work)
    except BaseException:
        work.close()  # the worker has let go of this workflow; it goes on elsewhere, from its history
        raise
    cut: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await workflow.wait([task])
        except asyncio.CancelledError as error:
            cut = error
    result = task.result()
    if cut is not None:
        raise cut
    return result


def failure_of(error: ActivityError) -> Failure:
    """What an activity told of its failure, or the best that can be said of one that could not tell."""
    cause: BaseException | None = error.cause
    if isinstance(cause, ApplicationError) and cause.details:
        with suppress(ValidationError):  # a bundle, or a newer release, may tell it in another way
            return Failure.model_validate(cause.details[0])
    if isinstance(cause, OutOfTime):
        message = f"{error.activity_type} did not come to an end within its time."
        return Failure(cause=FailureCause.SITE_UNREACHABLE, message=message, hint=FailureCause.SITE_UNREACHABLE.hint)
    message = f"{error.activity_type}: {cause or error}"
    return Failure(cause=FailureCause.INTERNAL, message=message, hint=FailureCause.INTERNAL.hint)
