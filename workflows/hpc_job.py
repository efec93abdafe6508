"""A batch job on a cluster, a virtual machine or this machine, start to finish."""

import asyncio
from collections.abc import Collection
from contextlib import AsyncExitStack
from functools import partial

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from howdah import names
from howdah.models.batch import BatchStatus
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt, Collect, Collected, Job, Watch
from howdah.models.logs import LogPlace, ReadLogs
from howdah.models.progress import AttemptRecord, Failure, Progress
from howdah.models.spec import Keep
from howdah.models.states import BatchState, JobState
from howdah.steps import batch, questions
from howdah.workflows.attempts import InAttempts, OnceMore
from howdah.workflows.supervised import JobFailed, Resubmit, failure_of, must_finish, stop_if_cancelled

MOST_CHANGES = 200
"""Of one batch job's state. A site that suspends and resumes jobs all the time would fill the history."""
FULL_HISTORY = 24 * 2**20
"""Bytes, after which changes of a batch job's state are not told any more, but only its end: a server ends a workflow
whose history has grown to 50 MiB."""


@workflow.defn(name=names.HPC)
class HpcJob(InAttempts):
    """Prepare, stage in, submit, monitor, stage out, clean up: once, or once more per attempt.

    However an attempt ends (done, failed, expired or cancelled) its undos run, last first. An undo is
    registered before its step is tried and keyed by the attempt, so that a step cut off half-way is undone too.

    Job types of bundles derive from it: they say in `told` what sites are asked for, and in `judge` whether what a
    batch job has done is enough.
    """

    @workflow.init
    def __init__(self, job: Job) -> None:
        super().__init__(job, workflow.info().workflow_type)
        self.take_up = job.take_up
        self.gone = True
        """No batch job of ours can be at the site: none was submitted, or its end was seen."""
        self.is_home = False
        """All that was asked for has come home: whatever happens now, it was done in time."""

    @workflow.run
    async def run(self, job: Job) -> Progress:
        self.life = asyncio.timeout(self.seconds_to_live())
        try:
            async with self.life:
                await self._embargo()
                await self._settle_earlier()
                await self.attempts()
        except JobFailed as failed:
            raise self._end(JobState.FAILED, failed.failure) from None
        except TimeoutError:
            if not self.life.expired():
                raise
            if self.is_home:
                self.enter(JobState.SUCCEEDED)
                return self.chronicle.progress
            message = "It had not finished when its time ('expires') was over."
            failure = Failure(cause=FailureCause.EXPIRED, message=message, hint=FailureCause.EXPIRED.hint)
            raise self._end(JobState.EXPIRED, failure) from None
        except BaseException as error:
            if is_cancelled_exception(error):
                self._note_cancel()
                self.enter(JobState.CANCELLED if self.gone else JobState.CLEANUP_FAILED)
            raise
        self.enter(JobState.SUCCEEDED)
        return self.chronicle.progress

    async def judge(self, collect: Collect) -> None:
        """The batch job has ended well; its folder is still at its site, and nothing of it has come home yet.

        Done again when a run before could not bring it home. For bundles: carry out further steps, with `self.step`.
        Raise `OnceMore` for another batch job, `JobFailed` when it was in vain; return, and its outputs come home.
        """

    async def last_words(self, collect: Collect, *, lines: int = 100) -> str:
        """The end of what the batch job has printed to its standard output, read at its site: 64 KiB at most."""
        places = (LogPlace(stream="stdout"),)
        ask = ReadLogs(folder=collect.attempt.folder or "", places=places, lines=lines, limit=2**16)
        read = await self.step(questions.read_logs, ask, at=collect.attempt.site, state=JobState.STAGING_OUT)
        if read.gone:
            cause, message = FailureCause.PURGED, f"The folder {ask.folder} is gone from site {collect.attempt.site}."
            raise JobFailed(Failure(cause=cause, message=message, hint=cause.hint))
        return "".join(news.data.decode(errors="replace") for news in read.news)

    async def try_once(self) -> None:
        """What an earlier run has left to do, or else a whole attempt."""
        number, self.take_up = self.take_up, None
        if number is None or not await self._is_brought_home(number):
            await self._attempt(self.next_attempt())

    async def _is_brought_home(self, number: int) -> bool:
        """Bring home what an attempt of an earlier run has left. False when it is not there any more."""
        last = self.chronicle.progress.attempt
        if last is None or last.number != number:
            return False
        self.tries += 1
        self.chronicle.take_up()
        attempt = self._again(last)
        try:
            async with AsyncExitStack() as undo:
                undo.push_async_exit(partial(self._clean_up, attempt))
                status = BatchStatus(state=BatchState.COMPLETED, native_id=last.native_id, exit_code=last.exit_code)
                collect = Collect(attempt=attempt, status=status)
                await self.judge(collect)
                await self._stage_out(collect, fails_on={FailureCause.PURGED})
        except JobFailed as failed:
            if failed.failure.cause is not FailureCause.PURGED or failed.given_up:
                raise
            self.tries -= 1
            self.chronicle.failed(failed.failure)
            self.because = f"the folder of attempt {number} is gone from site {attempt.site}"
            self.chronicle.warn(f"{self.because[0].upper()}{self.because[1:]}, so the program is run again.")
            return False
        return True

    async def _attempt(self, attempt: Attempt) -> None:
        self.gone = True
        async with AsyncExitStack() as undo:
            undo.push_async_exit(partial(self._clean_up, attempt))
            workdir = await self.step(batch.prepare, attempt, at=attempt.site, state=JobState.PREPARING)
            self.chronicle.note_attempt(folder=workdir.folder)
            attempt = attempt.at(workdir.folder)
            await self.step(batch.stage_in, attempt, at=attempt.site, state=JobState.STAGING_IN)

            undo.push_async_exit(partial(self._cancel, attempt))
            status = await self._submit_and_monitor(attempt)
            collect = Collect(attempt=attempt, status=status)
            if status.state is not BatchState.COMPLETED:
                await self._save_what_is_there(collect)
                raise JobFailed(_failure(status))
            await self.judge(collect)
            await self._stage_out(collect)

    async def _stage_out(self, collect: Collect, fails_on: Collection[FailureCause] = ()) -> None:
        at, state = collect.attempt.site, JobState.STAGING_OUT
        self._home(await self.step(batch.stage_out, collect, at=at, state=state, fails_on=fails_on))
        self.is_home = True

    async def _submit_and_monitor(self, attempt: Attempt) -> BatchStatus:
        """From the scheduler's acceptance to the end of the batch job."""
        self.gone = False
        self.chronicle.note_attempt(gone=False)
        batch_job = await self.step(batch.submit, attempt, at=attempt.site, state=JobState.SUBMITTING)
        self.chronicle.note_attempt(native_id=batch_job.native_id)
        status = BatchStatus(state=BatchState.QUEUED)
        crowd = batch_job.crowd
        changes = 0
        while not status.state.is_final:
            changes += 1
            watch = Watch(
                attempt=attempt,
                native_id=batch_job.native_id,
                known=status.state,
                until_end=changes > MOST_CHANGES or workflow.info().get_current_history_size() > FULL_HISTORY,
            )
            monitor = batch.monitor_among(crowd)
            status = await self.step(monitor, watch, at=attempt.site, state=status.state.shown)
            crowd = status.crowd
            self.chronicle.saw(status)
        self.chronicle.warn(*status.warnings)
        if status.state is not BatchState.LOST:
            self._seen_gone(attempt)
        return status

    async def _save_what_is_there(self, collect: Collect) -> None:
        """Of a job that failed. That this fails, too, must not hide why the job did."""
        stop_if_cancelled()
        self.enter(JobState.STAGING_OUT)
        try:
            self._home(await self.once(batch.stage_out, collect, at=collect.attempt.site))
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise asyncio.CancelledError from error
            self.chronicle.warn(f"What the job left could not be brought home: {failure_of(error).message}")

    def _home(self, collected: Collected) -> None:
        self.chronicle.note(outputs=collected.outputs)
        self.chronicle.warn(*collected.warnings)

    async def _cancel(self, attempt: Attempt, kind: type[BaseException] | None, *_: object) -> None:
        """Undo of submit: the batch job is seen gone, or an operator decides that this cannot be known."""
        if self.gone:
            return
        stopped = kind is not None and issubclass(kind, asyncio.CancelledError)
        now = self.chronicle.progress.state
        state = JobState.CANCELLING if stopped or now is JobState.WAITING else now
        try:
            await must_finish(self._see_it_gone(attempt, state))
        except JobFailed as failed:
            self.chronicle.failed(failed.failure)
            if not stopped:
                raise
        except Resubmit:
            if not stopped:
                raise

    async def _see_it_gone(self, attempt: Attempt, state: JobState) -> None:
        """Whatever the operator wants next, first the batch job must be gone: two would do the work twice."""
        wish: Resubmit | None = None
        while not self.gone:
            try:
                await self.step(batch.cancel, attempt, at=attempt.site, state=state, undoing=True)
                self._seen_gone(attempt)
            except Resubmit as later:
                wish = later
        if wish is not None:
            raise wish

    async def _settle_earlier(self) -> None:
        """A run before this one may have been terminated, or given up on, with its batch job still there."""
        for record in self.job.earlier:
            if not record.gone:
                self.gone = False
                try:
                    await must_finish(self._see_it_gone(self._again(record), JobState.PREPARING))
                except Resubmit as wish:
                    self.take_up = None
                    self.begin_anew(wish)

    def _seen_gone(self, attempt: Attempt) -> None:
        self.gone = True
        self.chronicle.seen_gone(attempt.number)

    async def _clean_up(self, attempt: Attempt, kind: type[BaseException] | None, *_: object) -> None:
        """Undo of prepare: the folder goes, unless it is to be kept or somebody may still write to it."""
        if not self.gone:
            return
        failed = kind is not None and self._came_to_nothing(kind)
        earlier = [] if failed else self.chronicle.progress.attempts[:-1]
        stale = [self._again(record) for record in earlier if record.gone and not self._is_removed(record)]
        if not _keeps(self.job.spec.keep, failed=failed):
            await must_finish(self._remove([attempt, *stale]))

    def _came_to_nothing(self, ended_by: type[BaseException]) -> bool:
        if issubclass(ended_by, asyncio.CancelledError):
            return self._is_yet_to_come_home()
        return not issubclass(ended_by, OnceMore)

    def _is_removed(self, record: AttemptRecord) -> bool:
        """Its site may be no more, and need not be."""
        return record.removed and workflow.patched(names.PATCH_REMOVE_ONCE)

    def _is_yet_to_come_home(self) -> bool:
        """Its time is over, but all it was to compute is there: `howdah retry` can still bring it home."""
        last = self.chronicle.progress.attempt
        if last is None or not last.completed or workflow.cancellation_reason() is not None:
            return False
        return workflow.patched(names.PATCH_KEEP_EXPIRED)

    async def _remove(self, attempts: list[Attempt]) -> None:
        """Remove folders. That one cannot be removed spoils no result: it is told."""
        for attempt in attempts:
            try:
                await self.once(batch.cleanup, attempt, at=attempt.site)
                self.chronicle.removed(attempt.number)
            except ActivityError as error:
                self.chronicle.warn(f"A folder was left behind at site {attempt.site}: {failure_of(error).message}")

    def _again(self, record: AttemptRecord) -> Attempt:
        """An earlier attempt, as its steps know it."""
        return Attempt(job=self.job, number=record.number, key=record.key, site=record.site, folder=record.folder)

    async def _embargo(self) -> None:
        start_at = self.job.spec.start_at
        if start_at is not None and start_at > workflow.now():
            self.enter(JobState.CREATED)
            await workflow.sleep(start_at - workflow.now(), summary=f"starts at {start_at:%Y-%m-%d %H:%M} UTC")

    def _note_cancel(self) -> None:
        """Why, in the words of who asked for it. A batch job that could not be seen gone is told instead."""
        reason = workflow.cancellation_reason()
        if self.gone and reason:
            cause = FailureCause.CANCELLED
            self.chronicle.failed(Failure(cause=cause, message=f"It was cancelled: {reason[:500]}", hint=cause.hint))

    def _end(self, state: JobState, failure: Failure) -> ApplicationError:
        """Failed for good: everything known goes into the failure itself, where it outlives every worker."""
        self.chronicle.failed(failure)
        self.enter(state if self.gone else JobState.CLEANUP_FAILED)
        return ApplicationError(failure.message, self.chronicle.progress, type=failure.cause, non_retryable=True)


def _keeps(keep: Keep, *, failed: bool) -> bool:
    return keep is Keep.ALWAYS or (keep is Keep.FAILED and failed)


def _failure(status: BatchStatus) -> Failure:
    cause = status.cause or FailureCause.LOST
    return Failure(
        cause=cause,
        message=status.message or f"The batch job ended as {status.state}.",
        scheduler_says=status.says,
        stderr_tail=status.stderr_tail,
        hint=cause.hint,
    )
