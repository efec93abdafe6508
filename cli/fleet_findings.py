"""What `howdah up` and `howdah doctor` say of the embedded fleet: which build serves, and what does not run."""

from howdah.cli.answers import Finding
from howdah.workers.embedded.control import Status
from howdah.workers.versioning.builds import installed_build, package_folder


def fleet_findings(status: Status) -> list[Finding]:
    """Of a fleet that runs; of one that records no build only what is wrong."""
    serving = status.accepted or status.build
    builds = sorted({worker.build for worker in status.workers if worker.build} - {serving})
    also = f"; experiments that began earlier go on with {', '.join(builds)}" if builds and not status.refused else ""
    told = [Finding(name="build", ok=True, found=f"{serving} from {status.source}{also}")] if serving else []
    return told + wrong(status)


def wrong(status: Status) -> list[Finding]:
    """What is not as somebody would expect it."""
    found = [_fallen(status), _refused(status), _stranded(status), _another(status)]
    return [finding for several in found for finding in several]


def _refused(status: Status) -> list[Finding]:
    if status.refused is None:
        return []
    return [
        Finding(
            name="upgrade",
            ok=False,
            found=f"{status.build} did not pass its trial, so {status.accepted} goes on: {status.refused}",
            hint=f"install a release that works; see {status.folder}/logs/workflows-{status.build}.log",
        )
    ]


def _stranded(status: Status) -> list[Finding]:
    return [
        Finding(
            name="upgrade",
            ok=False,
            found=f"experiments wait for {version}, whose code is not in {status.folder}/versions any more",
            hint="have them go on with the build that serves, if they can:"
            f" howdah deploy drain {version.rpartition(':')[2]} --move",
        )
        for version in status.stranded
    ]


def _fallen(status: Status) -> list[Finding]:
    return [
        Finding(
            name="workers",
            ok=False,
            found=f"the {one.worker} {one.how}, {one.deaths} times",
            hint=f"it is started again and again; see {status.folder}/logs",
        )
        for one in status.fallen
        if one.deaths > 1
    ]


def _another(status: Status) -> list[Finding]:
    """An installation beside the one that serves, of the same release or an earlier one."""
    here = str(package_folder())
    if status.source in (None, here) or status.build in (None, installed_build()):
        return []
    return [
        Finding(
            name="upgrade",
            ok=True,
            warning=True,
            found=f"the fleet runs {status.build} from {status.source}, this is {installed_build()} from {here}",
            hint="it is not replaced by another installation of the same or an earlier release;"
            " to have it run this one: howdah down, howdah up",
        )
    ]
