"""Whatever can be known to be wrong before anything starts."""

import os
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from howdah.activities.staging import check_inputs, check_outputs
from howdah.activities.staging.depot import object_path, place
from howdah.activities.staging.depot import results_place as depot_results
from howdah.activities.staging.inputs import PLAIN, scheme_of
from howdah.activities.storage.file import local_path
from howdah.cli.ids import this_user
from howdah.cli.recording import is_local
from howdah.cli.spec_file import Written, invalid
from howdah.config import find_site
from howdah.errors import DataError, UnknownName
from howdah.models.job import Job, Recorded
from howdah.models.printable import printable
from howdah.models.sites import Site
from howdah.models.spec import ExperimentSpec, SiteWish
from howdah.plugins import storage_for
from howdah.problems import Problem

LARGEST_JOB = 512 * 1024
"""Bytes as JSON. Temporal takes 2 MiB, but every step of every attempt carries the job through history."""
FARTHEST_START = timedelta(days=3660)


def choose_site(wish: str | SiteWish, sites: Mapping[str, Site]) -> Site:
    """The site named, or the first configured one that has all labels. Raises: UnknownName."""
    if isinstance(wish, str):
        return find_site(wish, dict(sites))
    for site in sites.values():
        if set(wish.labels) <= set(site.labels):
            return site
    known = "; ".join(f"{site.name}: {', '.join(site.labels) or 'none'}" for site in sites.values())
    raise UnknownName(
        f"No site has all of the labels {', '.join(wish.labels)}. Labels of sites: {known}.",
        hint="add the labels to a site in sites.toml, or name a site: --site NAME",
    )


def planned_job(
    written: Written, sites: Mapping[str, Site], *, experiment: str, now: datetime, depot: str | None = None
) -> Job:
    """The job that `start` would start, with everything checked that can be. Raises: SpecError."""
    lines = []
    try:
        site = choose_site(written.spec.site, sites).name
    except UnknownName as error:
        site = "unknown"
        lines.append(f"{written.at(('site',))}: site: {error.message}")
    try:
        results = results_place(written.spec, written.base, experiment, depot)
    except DataError as error:
        results = str(written.base)
        lines.append(f"{written.at(('results',))}: results: {error.message}")
    job = Job(
        experiment=experiment,
        spec=written.spec,
        site=site,
        owner=this_user(),
        base=str(written.base),
        results=results,
        created=now,
    )
    lines += _misplaced(written, now, job, depot)
    lines += [f"{written.at(problem.path)}: {problem}" for problem in _data_problems(written.spec, written.base)]
    if lines:
        raise invalid(written.name, lines)
    return job


def check_again(job: Job, *, inputs: bool = True) -> None:
    """For a `retry` with changes: what they refer to is there. Raises: SpecError.

    Without `inputs` those are not looked at: they are at the site, and may be gone from here.
    """
    found = _data_problems(job.spec, Path(job.base))
    lines = [str(problem) for problem in found if inputs or problem.path[:1] != ("inputs",)]
    if trouble := _cannot_store(job.results):
        lines.append(f"results: {trouble}")
    if lines := [*lines, *_too_large(job)]:
        raise invalid(job.spec.name, lines)


def results_again(job: Job, depot: str | None) -> str:
    """Where results come home to when a `retry` changes that. Raises: SpecError."""
    try:
        return results_place(job.spec, Path(job.base), job.experiment, depot)
    except DataError as error:
        raise invalid(job.spec.name, [f"results: {error.message}"]) from None


def check_size(job: Job) -> None:
    """With what was recorded of its inputs. Raises: SpecError."""
    if lines := list(_too_large(job)):
        raise invalid(job.spec.name, lines)


def results_place(spec: ExperimentSpec, base: Path, experiment: str, depot: str | None) -> str:
    """A URL or an absolute folder: what the spec says, else in the depot if there is one. Raises: DataError."""
    if spec.results and scheme_of(spec.results) != PLAIN:
        return spec.results
    if depot and not spec.results:
        return depot_results(depot, experiment)
    return str(results_folder(spec, base, experiment))


def results_folder(spec: ExperimentSpec, base: Path, experiment: str) -> Path:
    """Absolute. `results` is relative to the experiment's file, like everything in it. Raises: DataError."""
    written = spec.results or f"results/{experiment}"
    try:
        folder = local_path(written) if written[:7].lower() == "file://" else Path(written).expanduser()
    except RuntimeError:
        raise DataError(f"nobody here has the home folder of {printable(written)!r}") from None
    except ValueError:
        raise DataError(f"{printable(written)!r} is not a valid URL") from None
    if not str(folder).isprintable():
        raise DataError(f"{printable(str(folder))!r} is not a name for a folder of results")
    return Path(os.path.normpath(base / folder))


def _misplaced(written: Written, now: datetime, job: Job, depot: str | None) -> Iterable[str]:
    spec = written.spec
    if spec.start_at is not None and spec.start_at > now + FARTHEST_START:
        yield f"{written.at(('start_at',))}: start_at: is more than ten years away"
    elif spec.start_at is not None and spec.expires is not None and spec.start_at >= now + spec.expires:
        yield f"{written.at(('expires',))}: expires: is over before 'start_at'; it counts from now on"
    if trouble := _cannot_store(job.results):
        yield f"{written.at(('results',))}: results: {trouble}"
    yield from _too_large(job.model_copy(update={"recorded": _at_least(job.spec, depot)}))


def _at_least(spec: ExperimentSpec, depot: str | None) -> tuple[Recorded, ...]:
    """What will be noted of the local inputs, with the fewest digits: many of them are too much before one is read."""
    some = "0" * 64
    at = place(depot, object_path(some)) if depot else None
    local = (index for index, wanted in enumerate(spec.inputs) if is_local(wanted))
    return tuple(Recorded(index=index, files=1, bytes=0, sha256=some, at=at) for index in local)


def _too_large(job: Job) -> Iterable[str]:
    if (size := len(job.model_dump_json().encode())) > LARGEST_JOB:
        yield (
            f"{job.spec.name}: is too large as a whole ({size // 1024} KiB, at most {LARGEST_JOB // 1024}): "
            "put inputs into a folder and name the folder"
        )


def _data_problems(spec: ExperimentSpec, base: Path) -> list[Problem]:
    """Told by staging as `inputs[2]: no such file`."""
    told = [*check_inputs(spec, base), *check_outputs(spec)]
    found = [re.fullmatch(r"(\w+)\[(\d+)\]: (.*)", line, re.DOTALL) for line in told]
    return [
        Problem((match[1], int(match[2])), match[3]) if match else Problem((), line)
        for match, line in zip(found, told, strict=True)
    ]


def _cannot_store(results: str) -> str:
    """Why nothing could come home to this place, as far as that can be seen from here."""
    scheme = scheme_of(results)
    if scheme == PLAIN:
        return _cannot_make(Path(results))
    return "" if (kind := storage_for(scheme)) and kind.writable else f"nothing can be stored at {scheme}://"


def _cannot_make(folder: Path) -> str:
    """Judged by what exists of it."""
    try:
        nearest = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    except (OSError, ValueError) as error:  # such as a name that is too long, or has a NUL in it
        return f"{printable(str(folder))}: {error.strerror if isinstance(error, OSError) else error}"
    if not nearest.is_dir():
        return f"{nearest} is not a folder"
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"{nearest} is not writable by {this_user()}"
    return ""
