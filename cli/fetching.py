"""`howdah fetch`: the outputs that are there now."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from temporalio.client import Client

from howdah.activities.staging.bringing import bring, listed
from howdah.activities.staging.inputs import PLAIN, scheme_of
from howdah.activities.staging.outputs_manifest import Came
from howdah.cli.answers import Fetched
from howdah.cli.history import read_record
from howdah.cli.inputs import depot_in_use
from howdah.cli.looking import progress_of
from howdah.cli.questions import ask, attempt_of
from howdah.errors import HowdahError
from howdah.models.batch import BatchStatus
from howdah.models.job import Collect, Job
from howdah.models.printable import printable, unprintable
from howdah.models.progress import Live, OutputFile, Progress
from howdah.models.states import BatchState, JobState
from howdah.steps import questions
from howdah.workers.connection import Connection

Tell = Callable[[Live], None]
Failed = tuple[str, ...]
"""A line for each file that could not be had."""


async def fetch(connection: Connection, experiment: str, to: Path | None, tell: Tell) -> tuple[Fetched, Failed]:
    """From where the outputs went when the job has succeeded, otherwise from the site.

    Into `to`, which is absolute; without it into the experiment's results, or when those are at a URL into
    `./results/EXPERIMENT`. May be cut off anywhere and run again.
    """
    description = await connection.client.get_workflow_handle(experiment).describe()
    progress = (await progress_of(connection, description)).progress
    with in_words_of_fetch(experiment, to):
        if progress.state is JobState.SUCCEEDED:
            return await from_home(progress, to, tell)
        handle = connection.client.get_workflow_handle(experiment, run_id=description.run_id)
        job = (await read_record(connection.client, handle)).job
        return await from_site(connection.client, progress, job, to, tell)


@contextmanager
def in_words_of_fetch(experiment: str, to: Path | None) -> Iterator[None]:
    """Hints of storages are written for an experiment that waits, with a place for its id."""
    try:
        yield
    except HowdahError as error:
        hint = error.hint.replace("then: howdah retry {id}", f"then: {once_more(experiment, to)}")
        error.hint = hint.replace("{id}", experiment)
        raise


def once_more(experiment: str, to: Path | None) -> str:
    """The command that does the same again."""
    return f"howdah fetch {experiment}" + (f" --to {quote(str(to))}" if to else "")


async def from_site(
    client: Client, progress: Progress, job: Job, to: Path | None, tell: Tell
) -> tuple[Fetched, Failed]:
    """Results at a URL or in the depot are where the site's worker and this machine can meet; any other folder has
    to be one that it sees."""
    direct = scheme_of(job.results) == PLAIN and (to is None or not _is_in_depot(job.results))
    if to is not None and direct:
        job = job.model_copy(update={"results": str(to)})
    attempt = attempt_of(job, progress)
    # It has not succeeded, so nothing of it is required to be there.
    collect = Collect(attempt=attempt, status=BatchStatus(state=BatchState.FAILED))
    collected = await ask(client, questions.fetch, collect, site=attempt.site)
    if direct:
        return Fetched(id=progress.id, to=job.results, **dict(collected)), ()
    now = progress.model_copy(update={"outputs": collected.outputs, "warnings": collected.warnings})
    return await _bring(now, job.results, to or _here(progress.id), tell)


def _is_in_depot(results: str) -> bool:
    depot = depot_in_use()
    return depot is not None and scheme_of(depot) == PLAIN and Path(results).is_relative_to(depot)


async def from_home(progress: Progress, to: Path | None, tell: Tell) -> tuple[Fetched, Failed]:
    """Of a job that has succeeded: from where its outputs went."""
    results = progress.results or ""
    if to is None and scheme_of(results) == PLAIN:
        return Fetched(id=progress.id, to=results, outputs=progress.outputs), ()
    return await _bring(progress, results, to or _here(progress.id), tell)


async def _bring(progress: Progress, results: str, to: Path, tell: Tell) -> tuple[Fetched, Failed]:
    """What is recorded of many files are the first; the list among the results has all of them."""
    key = progress.attempt.key if progress.attempt else ""
    wanted = await listed(results, key) if results and key else None
    brought = await bring(_recorded(progress.outputs) if wanted is None else wanted, to, tell=tell)
    # how many were recorded only matters without the list, and what else was wrong is no news of a job that succeeded
    told = () if progress.state is JobState.SUCCEEDED and wanted is not None else progress.warnings
    failed = tuple(f"{printable(path)}: {why}" for path, why in sorted(brought.failed.items()))
    outputs = tuple(_shown(one) for one in brought.came if one.sha256)
    fetched = Fetched(id=progress.id, to=str(to), outputs=outputs, warnings=(*told, *failed))
    return fetched, failed


def _recorded(outputs: Sequence[OutputFile]) -> list[Came]:
    return [Came(unprintable(one.path), unprintable(one.location), one.size, one.sha256) for one in outputs]


def _shown(one: Came) -> OutputFile:
    return OutputFile(path=printable(one.path), size=one.size, sha256=one.sha256, location=printable(one.location))


def _here(experiment: str) -> Path:
    return Path.cwd() / "results" / experiment
