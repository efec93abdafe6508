"""From a file to a running experiment."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from howdah.cli import completion, experiments
from howdah.cli.answers import Started
from howdah.cli.connecting import connect_and_tell
from howdah.cli.errors import ExitCode
from howdah.cli.ids import check_id, new_id
from howdah.cli.inputs import depot_in_use, recorded
from howdah.cli.listing import server_name
from howdah.cli.looking import NO_BUNDLE
from howdah.cli.preflight import check_size, planned_job
from howdah.cli.recording import find_local
from howdah.cli.settings import Setting
from howdah.cli.spec_file import read_spec
from howdah.cli.views import View
from howdah.cli.watching import watch_until_over
from howdah.models.job import Job
from howdah.models.sites import Site
from howdah.workers.bundles import bundle_of
from howdah.workers.connection import Connection, ensure_served, workflow_url
from howdah.workers.queues import TASKS, is_polled


def planned(file: str, settings: Sequence[Setting], sites: Mapping[str, Site], *, id_: str | None = None) -> Job:
    """The job that `file` asks for, checked. Raises: SpecError, UserError, ConfigError."""
    written = read_spec(file, settings)
    experiment = check_id(id_) if id_ else new_id(written.spec.name)
    return planned_job(written, sites, experiment=experiment, now=datetime.now(UTC), depot=depot_in_use())


async def start_job(view: View, job: Job, site: Site, *, watch: bool) -> ExitCode:
    """Start it, bringing up the embedded server if there is no other, and watch it if asked to."""
    connection = await connect_and_tell(view)
    run = await _run(view, connection, job, site)
    completion.remember_start(job.experiment, server_name(connection))
    link = workflow_url(connection, job.experiment, run.run_id)
    done = "started" if run.created else "there already:"
    view.say(f"{done} {job.experiment} at {job.site}; results will be in {job.results}")
    await _tell_of_nobody(view, connection, job)
    if watch:
        return await watch_until_over(view, connection, job.experiment)
    view.show(Started(id=job.experiment, site=job.site, created=run.created, results=job.results, link=link))
    view.say(f"see how it goes: howdah watch {job.experiment}")
    return ExitCode.DONE


async def _run(view: View, connection: Connection, job: Job, site: Site) -> experiments.Run:
    """Whose id is taken is not worth the reading, or sending, of all its inputs."""
    if run := await experiments.there_already(connection, job):
        await _ensure_served(connection, job, site)
        return run
    found = await find_local(job.spec, Path(job.base))
    job = job.model_copy(update={"recorded": await recorded(view, found, depot_in_use())})
    check_size(job)
    await _ensure_served(connection, job, site)
    return await experiments.start(connection, job)


async def _ensure_served(connection: Connection, job: Job, site: Site) -> None:
    bundle = bundle_of(job.spec.type)
    await ensure_served(connection, [site], bundles=[bundle] if bundle else [])


async def _tell_of_nobody(view: View, connection: Connection, job: Job) -> None:
    """The embedded fleet begins with a bundle now; elsewhere somebody has to."""
    bundle = bundle_of(job.spec.type)
    if bundle and not connection.embedded and not await is_polled(connection.client, bundle, TASKS):
        view.say(NO_BUNDLE.format(bundle))
