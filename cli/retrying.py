"""`howdah retry` and `abort`: an answer to an experiment that waits, or a new run of one that ended."""

from collections.abc import Sequence
from datetime import datetime

from temporalio.client import WorkflowExecutionDescription

from howdah.cli.answers import Outcome
from howdah.cli.errors import CommandFailed
from howdah.cli.experiments import answer, next_run, run_again
from howdah.cli.history import read_record
from howdah.cli.ids import this_user
from howdah.cli.inputs import recorded_again
from howdah.cli.looking import progress_of
from howdah.cli.preflight import check_again, check_size, choose_site
from howdah.cli.settings import Setting
from howdah.cli.spec_file import changed_spec
from howdah.cli.views import View
from howdah.config import load_sites
from howdah.errors import UserError
from howdah.models.job import Job, Resolution
from howdah.models.progress import Progress
from howdah.models.sites import Site
from howdah.models.states import JobState
from howdah.steps import batch
from howdah.workers.connection import Connection, ensure_served
from howdah.workflows.supervised import NEEDS_A_NEW_ATTEMPT


async def retry(view: View, connection: Connection, experiment: str, changes: Sequence[Setting]) -> Outcome:
    """Raises: UserError when there is nothing to retry, CommandFailed when somebody else was faster.

    Inputs are taken as they are now, wherever they have still to be staged: to retry is to say it anew.
    """
    description, progress, job = await _as_it_is(connection, experiment)
    _can_be_retried(progress)
    changed = change(job, changes, load_sites())
    if changes:  # without any, only its workers can tell: they, not this machine, have to see its inputs
        check_again(changed.spec, changed)
    if stages_again(progress, changed=bool(changes)):
        changed = changed.model_copy(update={"recorded": await recorded_again(view, changed, job)})
        check_size(changed)
    if site := load_sites().get(changed.site):
        await ensure_served(connection, [site])
    if progress.state is JobState.WAITING:
        await answer(connection, experiment, resolution(job, changed, since=_asked(progress)))
        return Outcome(id=experiment, state=JobState.WAITING, message="goes on now")
    await run_again(connection, next_run(changed, progress), description)
    return Outcome(id=experiment, state=JobState.CREATED, message=f"runs again at {changed.site}")


async def abort(connection: Connection, experiment: str) -> Outcome:
    """Raises: UserError when it does not wait, CommandFailed when somebody else was faster."""
    _, progress, _ = await _as_it_is(connection, experiment)
    if progress.state is not JobState.WAITING:
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
    return job.model_copy(update={"spec": spec, "site": site})


def resolution(job: Job, changed: Job, *, since: datetime | None = None) -> Resolution:
    """The answer that makes `changed` of `job`; without changes it only says: try again."""
    return Resolution(
        retry=True,
        spec=changed.spec if changed.spec != job.spec else None,
        site=changed.site if changed.site != job.site else None,
        recorded=changed.recorded if changed.recorded != job.recorded else None,
        by=this_user(),
        since=since,
    )


def stages_again(progress: Progress, *, changed: bool) -> bool:
    """Inputs are staged from here on. Not so when the job has run and only waits to be brought home: fresh inputs
    would make it run again."""
    waiting = progress.waiting
    if waiting is None or changed or waiting.reason in NEEDS_A_NEW_ATTEMPT:
        return True
    return waiting.step in (batch.prepare.name, batch.stage_in.name)


def _asked(progress: Progress) -> datetime | None:
    """Which question is answered: by the time the answer arrives another one may wait."""
    return progress.waiting.since if progress.waiting else None


def _can_be_retried(progress: Progress) -> None:
    if progress.state is JobState.SUCCEEDED:
        raise UserError(f"{progress.id} has succeeded already.", hint="to run it once more: howdah start FILE")
    if progress.state is not JobState.WAITING and not progress.state.is_final:
        raise UserError(
            f"{progress.id} is {progress.state.replace('_', ' ')}; there is nothing to retry.",
            hint=f"see how it goes: howdah watch {progress.id}; to run it otherwise, cancel it first",
        )


async def _as_it_is(connection: Connection, experiment: str) -> tuple[WorkflowExecutionDescription, Progress, Job]:
    description = await connection.client.get_workflow_handle(experiment).describe()
    looked = await progress_of(connection, description)
    if not looked.complete and not looked.progress.state.is_final:
        raise CommandFailed(
            f"{experiment} cannot be asked how it is: no worker for workflows answers.",
            hint="start the workers: howdah up --detach; or see: howdah doctor",
        )
    handle = connection.client.get_workflow_handle(experiment, run_id=description.run_id)
    record = await read_record(connection.client, handle)
    return description, looked.progress, record.job
