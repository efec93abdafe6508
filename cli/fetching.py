"""`howdah fetch`: the outputs that are there now."""

import asyncio
import shutil
from pathlib import Path

from howdah.cli.answers import Fetched
from howdah.cli.errors import CommandFailed
from howdah.cli.history import read_record
from howdah.cli.looking import progress_of
from howdah.cli.questions import ask, attempt_of
from howdah.models.batch import BatchStatus
from howdah.models.job import Collect
from howdah.models.progress import OutputFile, Progress
from howdah.models.states import BatchState, JobState
from howdah.steps import questions
from howdah.workers.connection import Connection


async def fetch(connection: Connection, experiment: str, to: Path | None) -> Fetched:
    """From home when they are there, otherwise from the site, into `to` or the experiment's results."""
    description = await connection.client.get_workflow_handle(experiment).describe()
    progress = (await progress_of(connection, description)).progress
    if progress.state is JobState.SUCCEEDED:
        return await asyncio.to_thread(_from_home, progress, to)
    handle = connection.client.get_workflow_handle(experiment, run_id=description.run_id)
    job = (await read_record(connection.client, handle)).job
    if to is not None:
        job = job.model_copy(update={"results": str(to)})
    attempt = attempt_of(job, progress)
    # It has not succeeded, so nothing of it is required to be there.
    collect = Collect(attempt=attempt, status=BatchStatus(state=BatchState.FAILED))
    collected = await ask(connection.client, questions.fetch, collect, site=attempt.site)
    return Fetched(id=experiment, to=job.results, **dict(collected))


def _from_home(progress: Progress, to: Path | None) -> Fetched:
    if to is None:
        return Fetched(id=progress.id, to=progress.results or "", outputs=progress.outputs)
    copied = tuple(_copy(file, to) for file in progress.outputs if file.location.startswith("/"))
    elsewhere = tuple(
        f"{file.path} is at {file.location}" for file in progress.outputs if not file.location.startswith("/")
    )
    return Fetched(id=progress.id, to=str(to), outputs=copied, warnings=elsewhere)


def _copy(file: OutputFile, to: Path) -> OutputFile:
    """Whole or not at all; a path of ours never climbs out of `to`."""
    target = to / file.path
    if not target.resolve().is_relative_to(to.resolve()):
        raise CommandFailed(f"{target} leads out of {to}.", hint="choose another folder: --to DIR")
    beside = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.location, beside)
        beside.replace(target)
    except OSError as error:
        raise CommandFailed(
            f"Cannot copy {file.location} to {target}: {error.strerror}.",
            hint="the results are where the staging worker put them; this machine may not see them",
        ) from error
    return file.model_copy(update={"location": str(target)})
