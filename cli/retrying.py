"""`howdah retry` and `abort`: an answer to an experiment that waits, or a new run of one that ended."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from temporalio.client import WorkflowExecutionDescription

from howdah.cli.answers import Outcome
from howdah.cli.errors import CommandFailed, Unserved
from howdah.cli.experiments import answer, next_run, run_again
from howdah.cli.history import read_record
from howdah.cli.ids import this_user
from howdah.cli.inputs import depot_in_use, recorded_again
from howdah.cli.looking import progress_of
from howdah.cli.preflight import check_again, check_size, choose_site, results_again
from howdah.cli.settings import Setting
from howdah.cli.spec_file import changed_spec
from howdah.cli.views import View
from howdah.config import load_sites
from howdah.errors import BrokenBundle, UnknownName, UserError
from howdah.models.causes import FailureCause
from howdah.models.job import Job, Past, Resolution
from howdah.models.progress import Failure, Progress
from howdah.models.sites import Site
from howdah.models.states import JobState
from howdah.steps import batch
from howdah.steps.batch import queue
from howdah.workers.bundles import bundle_of
from howdah.workers.connection import Connection, ensure_served
from howdah.workers.listing import unserved
from howdah.workflows.answering import because, record_of, then
from howdah.workflows.course import Course, course_of, refusal


async def retry(view: View, connection: Connection, experiment: str, changes: Sequence[Setting]) -> Outcome:
    """Raises: UserError when there is nothing to retry, CommandFailed when somebody else was faster.

    Inputs are taken as they are now, wherever they have still to be staged: to retry is to say it anew.
    """
    description, progress, job = await _as_it_is(connection, experiment)
    _can_be_retried(progress)
    changed = change(job, changes, load_sites())
    _can_become(progress, job, changed)
    course = course_of(progress, job, changed)
    if changed != job:  # without any change only its workers can tell: they, not this machine, have to see its inputs
        check_again(changed, inputs=course is Course.ATTEMPT)
    if stages_again(progress, course):
        changed = changed.model_copy(update={"recorded": await recorded_again(view, changed, job)})
        check_size(changed)
        course = course_of(progress, job, changed)
    await _served(connection, changed, must=changed.site != job.site)
    if begun(progress):
        await answer(connection, experiment, resolution(job, changed, since=_asked(progress)))
    else:
        await run_again(connection, another_run(job, changed, progress, course, datetime.now(UTC)), description)
    state = JobState.CREATED if progress.state.is_final else progress.state
    step = progress.waiting.step if progress.waiting else ""
    return Outcome(id=experiment, state=state, message=then(course, step, changed.site))


async def abort(connection: Connection, experiment: str) -> Outcome:
    """Raises: UserError when it does not wait, CommandFailed when somebody else was faster."""
    _, progress, _ = await _as_it_is(connection, experiment)
    if not begun(progress):
        hint = "" if progress.state.is_final else f"to stop it: howdah cancel {experiment}"
        raise UserError(f"{experiment} does not wait for an operator; it is {progress.state}.", hint=hint)
    await answer(connection, experiment, Resolution(retry=False, by=this_user(), since=_asked(progress)))
    return Outcome(id=experiment, state=JobState.FAILED, message="given up")


def change(job: Job, changes: Sequence[Setting], sites: dict[str, Site]) -> Job:
    """`job` with changes as from the command line. Its site stays, unless another one is wished for."""
    if not changes:
        return job
    spec = changed_spec(job.spec, changes)
    site = job.site if spec.site == job.spec.site else choose_site(spec.site, sites).name
    changed = job.model_copy(update={"spec": spec, "site": site})
    if spec.results == job.spec.results:
        return changed
    return changed.model_copy(update={"results": results_again(changed, depot_in_use())})


def another_run(job: Job, changed: Job, progress: Progress, course: Course, now: datetime) -> Job:
    """What runs when an experiment that ended is to go on as `changed`: it knows what was before."""
    failure = progress.failure or Failure(cause=FailureCause.CANCELLED, message=f"It ended as {progress.state}.")
    said = resolution(job, changed)
    told = record_of(said, job, changed, failure, step="", course=course, now=now)
    past = Past(answers=(*progress.answers, told), warnings=progress.warnings, because=because(told))
    number = progress.attempts[-1].number if course is Course.BRING_HOME else None
    return next_run(changed, progress).model_copy(update={"past": past, "take_up": number})


def resolution(job: Job, changed: Job, *, since: datetime | None = None) -> Resolution:
    """The answer that makes `changed` of `job`; without changes it only says: try again."""
    return Resolution(
        retry=True,
        spec=changed.spec if changed.spec != job.spec else None,
        site=changed.site if changed.site != job.site else None,
        recorded=changed.recorded if changed.recorded != job.recorded else None,
        results=changed.results if changed.results != job.results else None,
        by=this_user(),
        since=since,
    )


def stages_again(progress: Progress, course: Course) -> bool:
    """Inputs are staged from here on. Not so when the job has run and only waits to be brought home: fresh inputs
    would make it run again."""
    if course is not Course.AGAIN:
        return course is Course.ATTEMPT
    return progress.waiting is not None and progress.waiting.step in (batch.prepare.name, batch.stage_in.name)


def begun(progress: Progress) -> bool:
    """It waits for an answer, or would take one: a new run is not needed."""
    return progress.state is JobState.WAITING or progress.next_attempt is not None


def _asked(progress: Progress) -> datetime | None:
    """Which question is answered: by the time the answer arrives another one may wait."""
    return progress.waiting.since if progress.waiting else progress.next_attempt


def _can_be_retried(progress: Progress) -> None:
    if progress.state is JobState.SUCCEEDED:
        raise UserError(f"{progress.id} has succeeded already.", hint="to run it once more: howdah start FILE")
    if not begun(progress) and not progress.state.is_final:
        raise UserError(
            f"{progress.id} is {progress.state.replace('_', ' ')}; there is nothing to retry.",
            hint=f"see how it goes: howdah watch {progress.id}; to run it otherwise, cancel it first",
        )


def _can_become(progress: Progress, job: Job, changed: Job) -> None:
    """Raises: UserError for a change that is not allowed, naming the key."""
    going_on = begun(progress)
    if trouble := refusal(job, changed, begun=going_on):
        later = f"howdah abort {progress.id}, then howdah retry {progress.id} with the same --set"
        anew = "start it as another experiment: howdah start FILE"
        hint = later if going_on and not refusal(job, changed, begun=False) else anew
        raise UserError(f"{progress.id}: {trouble}.", hint=hint)
    expires = changed.spec.expires
    if going_on and expires is not None and expires != job.spec.expires and job.created + expires <= datetime.now(UTC):
        raise UserError(
            f"{progress.id}: 'expires' would be over already: it counts from {job.created:%Y-%m-%d %H:%M} UTC.",
            hint="give it longer, or cancel it: howdah cancel " + progress.id,
        )


async def _served(connection: Connection, job: Job, *, must: bool) -> None:
    """Have its site and bundle served, if that is ours to do. Raises: Unserved when the site must be and is not."""
    name, bundle = job.site, None
    with suppress(UnknownName, BrokenBundle):  # an answer can be given from where the bundle is not installed
        bundle = bundle_of(job.spec.type)
    site = load_sites().get(name)
    await ensure_served(connection, [site] if site else [], bundles=[bundle] if bundle else [])
    if must and not connection.embedded and (missing := await unserved(connection.client, Site(name=name, kind="any"))):
        queues = ", ".join(queue(name, capability) for capability in missing)
        raise Unserved(
            f"Nobody serves {queues}, so it would wait at site {name} for ever; nothing was changed.",
            hint=f"start a worker: howdah worker start --site {name}",
        )


async def _as_it_is(connection: Connection, experiment: str) -> tuple[WorkflowExecutionDescription, Progress, Job]:
    description = await connection.client.get_workflow_handle(experiment).describe()
    looked = await progress_of(connection, description)
    if not looked.complete:  # one that was terminated may have a batch job that only it can tell of
        raise CommandFailed(
            f"{experiment} cannot be asked how it is: no worker for workflows answers.",
            hint="start the workers: howdah up --detach; or see: howdah doctor",
        )
    handle = connection.client.get_workflow_handle(experiment, run_id=description.run_id)
    record = await read_record(connection.client, handle)
    return description, looked.progress, record.job
