"""What would be done, without doing it."""

from collections.abc import Mapping
from pathlib import Path

from howdah.activities.schedulers import Scheduler
from howdah.activities.schedulers.command import render
from howdah.activities.staging.inputs import address_of
from howdah.cli.answers import Plan, PlannedInput, Script
from howdah.cli.history import read_record
from howdah.cli.inputs import depot_in_use
from howdah.cli.listing import find as find_experiment
from howdah.cli.looking import progress_of
from howdah.cli.questions import attempt_of
from howdah.cli.recording import Found, find_local
from howdah.config import find_site
from howdah.models.job import Attempt, Job, attempt_key
from howdah.models.sites import Site
from howdah.models.spec import Input
from howdah.plugins import SiteKind, find, load
from howdah.workers.connection import connect

RUN = "<run>"
"""Stands for the id that Temporal gives a run, from which the key is made."""
SCRATCH = "/HOWDAH_SCRATCH"
"""Stands for the site's scratch, whose absolute path only the site knows."""


async def plan(job: Job, sites: Mapping[str, Site], *, named: bool) -> Plan:
    """What `start` would do. Without an id of the user's choice the last part of the id is open.

    Nothing is read of inputs but their sizes. Raises DataError for those that could not be staged.
    """
    site = sites[job.site]
    experiment = job.experiment if named else f"{job.spec.name}-<id>"
    folder = f"{site.scratch}/{experiment}/{job.name}/1-<key>"
    found = {one.index: one for one in await find_local(job.spec, Path(job.base))}
    inputs = [_planned(item, Path(job.base), found.get(index)) for index, item in enumerate(job.spec.inputs)]
    return Plan(
        name=job.spec.name,
        site=site.name,
        folder=folder,
        results=job.results.replace(job.experiment, experiment),
        inputs=tuple(inputs),
        outputs=tuple(output.path for output in job.spec.outputs),
        script=future_script(job, sites),
        files=sum(one.files or 0 for one in inputs),
        size=sum(one.size or 0 for one in inputs),
        depot=depot_in_use(),
    )


def future_script(job: Job, sites: Mapping[str, Site]) -> Script:
    """What the first attempt would send, with the parts left open that are not known beforehand."""
    site = sites[job.site]
    key = attempt_key(job, job.experiment, RUN, 1)
    attempt = Attempt(job=job.for_steps, number=1, key=key, site=job.site)
    folder = f"{SCRATCH}/{attempt.subfolder}"

    def open_parts(text: str) -> str:
        return text.replace(folder, "<folder>").replace(SCRATCH, site.scratch).replace(key, "<key>")

    sent = _sent(attempt.at(folder), site)
    return Script(site=site.name, script=open_parts(sent.script), command=open_parts(sent.command))


async def script_of(reference: str, sites: Mapping[str, Site]) -> Script:
    """The script of an experiment's latest attempt, made again from what it was made from."""
    connection = await connect()
    experiment = await find_experiment(connection, reference)
    description = await connection.client.get_workflow_handle(experiment).describe()
    progress = (await progress_of(connection, description)).progress
    handle = connection.client.get_workflow_handle(experiment, run_id=description.run_id)
    record = await read_record(connection.client, handle)
    attempt = attempt_of(record.job, progress)
    if record.sent and record.sent.key == attempt.key:
        attempt = record.sent
    site = find_site(attempt.site, dict(sites))
    return _sent(attempt.at(attempt.folder or f"{site.scratch}/{attempt.subfolder}"), site)


def _sent(attempt: Attempt, site: Site) -> Script:
    scheduler: Scheduler = load(find(SiteKind, site.kind, what="kind of site").scheduler)(site)
    command = render(attempt, site, attempt.folder or "")
    return Script(site=site.name, script=scheduler.script(attempt), command=command)


def _planned(item: Input, base: Path, found: Found | None) -> PlannedInput:
    if item.text is not None:
        return PlannedInput(path=item.target, source="the experiment's file", size=len(item.text.encode()), files=1)
    if found is None:
        return PlannedInput(path=item.target, source=item.source or "")
    files = sum(not one.folder for one in found.sources)
    size = sum(one.size or 0 for one in found.sources)
    return PlannedInput(path=item.target, source=address_of(item, base), size=size, files=files)
