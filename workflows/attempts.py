"""A job that is tried until an attempt succeeds, or fails for a reason that no further one would mend."""

import asyncio
from abc import abstractmethod

from temporalio import workflow

from howdah import names
from howdah.models.job import Attempt, Job, Past, Resolution
from howdah.models.progress import Failure
from howdah.models.states import JobState
from howdah.workflows.answering import because
from howdah.workflows.course import Course
from howdah.workflows.pausing import pause_before_next
from howdah.workflows.supervised import JobFailed, Resubmit, Supervised, stop_if_cancelled


class OnceMore(Exception):
    """All went well, and the job wants another attempt: not to mend a failure, but to do more."""

    def __init__(self, because: str) -> None:
        super().__init__(because)
        self.because = because


class InAttempts(Supervised):
    """A base for job types: counts attempts, pauses between them, and takes answers that begin another one."""

    def __init__(self, job: Job, job_type: str) -> None:
        super().__init__(job, job_type)
        self.tries = job.past.tries
        """Attempts since a person last had a say."""
        self.because = job.past.because
        """Why the next attempt is made."""
        self.life = asyncio.Timeout(None)
        """How long all of it may take."""

    @abstractmethod
    async def try_once(self) -> None:
        """Raises: JobFailed, Resubmit, OnceMore. When it returns the job is done.

        Nothing of it is at the site either way.
        """

    async def attempts(self) -> None:
        """Try until an attempt succeeds, or fails for a reason that no further one would mend."""
        while True:
            try:
                return await self.try_once()
            except Resubmit as wish:
                self.begin_anew(wish)
            except OnceMore as more:
                self.chronicle.close_attempt(workflow.now(), JobState.SUCCEEDED)
                self.tries, self.because = 0, more.because
            except JobFailed as failed:
                self.chronicle.failed(failed.failure)
                if not self._is_tried_again(failed):
                    raise
                await self._back_off(failed.failure)
            stop_if_cancelled()
            self._leave_a_long_history()

    @property
    def rounds(self) -> int:
        """Earlier attempts that went well, after which the job wanted another."""
        return sum(record.state is JobState.SUCCEEDED for record in self.chronicle.progress.attempts[:-1])

    def begin_anew(self, wish: Resubmit) -> None:
        """The next attempt is as an operator wants it."""
        if not wish.taken:
            self.take(wish.resolution)
        self.because = because(self.chronicle.progress.answers[-1])

    def _is_tried_again(self, failed: JobFailed) -> bool:
        retry = self.job.spec.retry
        return not failed.given_up and failed.failure.cause in retry.on and self.tries < retry.attempts

    async def _back_off(self, failure: Failure) -> None:
        """Leave the site some time to recover. An operator may say: at once, otherwise, or not at all."""
        self.because = f"{failure.cause.replace('_', ' ')}: {failure.message}"
        if not workflow.patched(names.PATCH_BACKOFF):
            return
        pause = pause_before_next(self.tries, self.job.spec.retry.backoff)
        answer = await self.answer_within(pause, "before the next attempt")
        if answer is None:
            return
        self.note_answer(answer, failure, "", Course.ATTEMPT)
        if not answer.retry:
            raise JobFailed(failure, given_up=True)
        self.take(answer)
        self.because = because(self.chronicle.progress.answers[-1])

    def _leave_a_long_history(self) -> None:
        """Between two attempts nothing of ours is at the site, so the next one may begin with a fresh history."""
        if not workflow.info().is_continue_as_new_suggested() or not workflow.patched(names.PATCH_FRESH_HISTORY):
            return
        self.chronicle.close_attempt(workflow.now())
        self.chronicle.shorten()
        now = self.chronicle.progress
        past = Past(answers=now.answers, warnings=now.warnings, tries=self.tries, because=self.because)
        workflow.continue_as_new(self.job.model_copy(update={"earlier": now.attempts, "past": past, "take_up": None}))

    @property
    def is_ending(self) -> bool:
        return self.life.expired() or super().is_ending

    def next_attempt(self) -> Attempt:
        self.tries += 1
        last = self.chronicle.progress.attempt
        info = workflow.info()
        attempt = Attempt.of(
            self.job,
            number=last.number + 1 if last else 1,
            workflow_id=info.workflow_id,
            first_run_id=info.first_execution_run_id,
        )
        self.chronicle.begin_attempt(attempt, workflow.now(), self.because)
        return attempt

    def take(self, answer: Resolution) -> None:
        """Attempts are counted anew, and so is the time to live if it is to be another."""
        before = self.job.spec.expires
        super().take(answer)
        self.tries = 0
        if self.job.spec.expires != before and not self.life.expired() and workflow.patched(names.PATCH_EFFECT):
            left = self.seconds_to_live()
            self.life.reschedule(None if left is None else asyncio.get_running_loop().time() + left)

    def seconds_to_live(self) -> float | None:
        expires = self.job.spec.expires
        if expires is None:
            return None
        return max((self.job.created + expires - workflow.now()).total_seconds(), 0.0)
