"""Which version new experiments begin on: looked at, and changed behind a gate."""

from collections.abc import Sequence

from temporalio.client import Client

from howdah.cli import completion
from howdah.cli.deployed import Deployments, Routed
from howdah.cli.errors import CommandFailed
from howdah.cli.views import View
from howdah.errors import UnknownName, UserError
from howdah.models.versions import SelfTested, Version, VersionStatus
from howdah.workers.versioning.deployments import before_current, list_deployments, list_versions, newest_of
from howdah.workers.versioning.passing import passes_gate
from howdah.workers.versioning.promoting import set_current, set_ramp
from howdah.workers.versioning.refusals import refusals_told

MOST_NAMED = 3
"""Misfits that an error names; how many there are it says as well."""


async def deployments(client: Client) -> Deployments:
    with refusals_told():
        found = [version for name in await list_deployments(client) for version in await list_versions(client, name)]
    completion.remember_builds(version.build for version in found)
    return Deployments(versions=tuple(found), warnings=tuple(warning(one) for one in found if one.is_deserted))


def warning(version: Version) -> str:
    number = "1 experiment waits" if version.experiments == 1 else f"{version.experiments} experiments wait"
    return (
        f"{number} on {version.build} of {version.deployment}, and no worker runs it: start one of that build, or: "
        f"howdah deploy drain {version.build} --move"
    )


async def known_versions(client: Client, deployment: str) -> list[Version]:
    """Raises: UnknownName when there are none."""
    with refusals_told():
        found = await list_versions(client, deployment)
    if not found:
        raise UnknownName(
            f"The server knows no deployment {deployment!r}.",
            hint="start a worker for its workflows: howdah worker start; see: howdah deploy list",
        )
    return found


def find_version(versions: Sequence[Version], build: str) -> Version:
    """By its build, or the beginning or end of it that no other has. Raises: UnknownName."""
    exact = [one for one in versions if one.build == build]
    near = [one for one in versions if one.build.startswith(build) or one.build.endswith(build)]
    found = exact or near
    if len(found) == 1:
        return found[0]
    builds = ", ".join(one.build for one in found or versions)
    said = f"{build!r} may be any of {builds}." if found else f"There is no build {build!r}. There are: {builds}."
    raise UnknownName(said, hint="see: howdah deploy list")


def to_promote(versions: Sequence[Version], build: str | None) -> Version:
    """Raises: UnknownName; UserError when there is nothing to promote."""
    chosen = find_version(versions, build) if build else newest_of(versions)
    if chosen is None:
        raise UserError(
            "There is no newer version than the current one.",
            hint="start workers of it beside those that run: howdah worker start --workflows; or name a build",
        )
    if chosen.status is VersionStatus.CURRENT:
        raise UserError(f"{chosen.build} is current already.", hint="see: howdah deploy list")
    if not chosen.workers:
        raise CommandFailed(
            f"No worker runs {chosen.build}.",
            hint="start one: howdah worker start --workflows; or name another build: howdah deploy list",
        )
    return chosen


async def promote(
    view: View, client: Client, deployment: str, build: str | None, *, gate: bool, site: str | None, results: str | None
) -> Routed:
    versions = await known_versions(client, deployment)
    version, before = to_promote(versions, build), _current(versions)
    shown = await _shown(view, client, version, gate=gate, site=site, results=results)
    with refusals_told():
        await set_current(client, deployment, version.build)
    back = f"; to go back: howdah deploy rollback{_option(deployment)}" if before else ""
    return Routed(
        deployment=deployment,
        build=version.build,
        percent=100.0,
        before=before.build if before else None,
        gate=shown,
        message=f"new experiments begin on {version.build} now, before on {before.build if before else 'none'}{back}",
    )


async def ramp(
    view: View,
    client: Client,
    deployment: str,
    build: str,
    percent: float,
    *,
    gate: bool,
    site: str | None,
    results: str | None,
) -> Routed:
    versions = await known_versions(client, deployment)
    current = _current(versions)
    if percent == 0:
        return await _without_ramp(client, deployment, find_version(versions, build).build, current)
    version = to_promote(versions, build)
    shown = await _shown(view, client, version, gate=gate, site=site, results=results)
    with refusals_told():
        await set_ramp(client, deployment, version.build, percent)
    rest = f", the others on {current.build}" if current else ""
    return Routed(
        deployment=deployment,
        build=version.build,
        percent=percent,
        before=current.build if current else None,
        gate=shown,
        message=f"{percent:g} % of new experiments begin on {version.build} now{rest}",
    )


async def rollback(client: Client, deployment: str) -> Routed:
    """A ramp is ended first: then what is current is what was before. Otherwise the version before the current one.

    Nothing is tried: whoever goes back is in a hurry, and goes to what has worked.
    """
    versions = await known_versions(client, deployment)
    current = _current(versions)
    ramping = next((one for one in versions if one.status is VersionStatus.RAMPING), None)
    if ramping:
        return await _without_ramp(client, deployment, ramping.build, current)
    last = before_current(versions)
    if last is None:
        raise UserError("No other version was ever current.", hint="see: howdah deploy list")
    if not last.workers:
        raise CommandFailed(
            f"{last.build} was current before, and no worker runs it.",
            hint=f"start one of release {last.release}, then: howdah deploy rollback{_option(deployment)}",
        )
    with refusals_told():
        await set_current(client, deployment, last.build)
    return Routed(
        deployment=deployment,
        build=last.build,
        percent=100.0,
        before=current.build if current else None,
        message=f"new experiments begin on {last.build} again; what runs on any other version goes on there",
    )


async def _without_ramp(client: Client, deployment: str, build: str, current: Version | None) -> Routed:
    with refusals_told():
        await set_ramp(client, deployment, None, 0)
    return Routed(
        deployment=deployment,
        build=build,
        percent=0.0,
        before=current.build if current else None,
        message=f"no new experiment begins on {build} any more; all begin on {current.build if current else 'none'}",
    )


async def _shown(
    view: View, client: Client, version: Version, *, gate: bool, site: str | None, results: str | None
) -> SelfTested | None:
    """What the version shows at the gate. Raises: CommandFailed when that is not enough."""
    if not gate:
        view.say("no gate: neither are histories replayed on the new version, nor does it carry out a job")
        return None
    with refusals_told():
        found = await passes_gate(client, version.deployment, version.build, site=site, results=results, say=view.say)
    if not found.passed:
        raise CommandFailed(f"{version.build} does not pass: {reasons(found)}.", hint=_advice(found))
    view.say(summary(found))
    return found


def reasons(found: SelfTested) -> str:
    """Why a version does not pass, as part of a sentence."""
    misfits = found.misfits
    if not misfits:
        return found.trouble.rstrip(".")
    named = "; ".join(f"{one.id} ({one.job_type}): {one.why}" for one in misfits[:MOST_NAMED])
    more = f"; and {len(misfits) - MOST_NAMED} more" if len(misfits) > MOST_NAMED else ""
    number = found.recorded.replayed + found.running.replayed
    return f"{len(misfits)} of {number} histories do not replay: {named}{more}".rstrip(".")


def summary(found: SelfTested) -> str:
    """What a version that passes has shown."""
    running = f"{found.running.replayed} of {found.running.of} that run"
    job = f"a job at site {found.site} succeeded" if found.site else "no job was run, for no site was named or served"
    return f"it passes: {found.recorded.replayed} recorded histories and {running} replay; {job}"


def _advice(found: SelfTested) -> str:
    if found.misfits:
        return "guard the change of the workflow by workflow.patched; nothing has been changed on the server"
    return "mend it, or try it at another site with --site; nothing has been changed on the server"


def _current(versions: Sequence[Version]) -> Version | None:
    return next((one for one in versions if one.status is VersionStatus.CURRENT), None)


def _option(deployment: str) -> str:
    from howdah.workers.versioning.versions import deployment_name

    return "" if deployment == deployment_name() else f" --deployment {deployment}"
