"""What one look at the processes of a machine and at the folders comes to, job by job."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from howdah.activities.schedulers.records import Found
from howdah.models.batch import BatchState, Sighting, StartRecord, Witness
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt


@dataclass(frozen=True)
class Machine:
    """As it was when we looked: `boot` is another after every reboot."""

    boot: str
    host: str


def sightings(attempts: Sequence[Attempt], found: Found, *, closely: bool) -> dict[str, Sighting]:
    boot, _, host = found.all("machine")[-1].partition(" ")
    processes: defaultdict[str, list[str]] = defaultdict(list)
    for line in found.all("process"):
        pid, _, key = line.partition(" ")
        processes[key].append(pid)
    machine = Machine(boot, host)
    return {
        attempt.key: _sighting(attempt.key, processes[attempt.key], machine, found, closely) for attempt in attempts
    }


def _sighting(key: str, pids: list[str], machine: Machine, found: Found, closely: bool) -> Sighting:
    start = found.start(key)
    ended_for = found.record("end", key).get("cause", "")
    native_id = (start.native_id if start else None) or next(iter(found.of("claim", key)), None)
    end = found.end(key)
    unsubmitted = closely and native_id is None and not pids
    return Sighting(
        key=key,
        claimed_by=native_id,
        start=start,
        end=end,
        queue=None if end or unsubmitted else _processes(pids, start, found.record("start", key).get("boot"), machine),
        words=_EXPIRED if ended_for == "walltime" else None,
        folder_exists=not found.of("gone", key),
        scratch_exists=not found.of("unmounted", key),
        looked_closely=closely,
        stderr_tail=found.text("stderr", key).rstrip("\n")[-8192:],
        details=(f"processes: {' '.join(pids)}",) if pids and closely else (),
    )


_SLOTS = "as many jobs as this machine may run at a time are running"
_EXPIRED = Witness(state=BatchState.FAILED, word="walltime", cause=FailureCause.WALLTIME)


def _processes(pids: list[str], start: StartRecord | None, boot: str | None, machine: Machine) -> Witness | None:
    """Alive: waiting for a slot until there is a start record. Dead without an end record: nobody will ever tell,
    unless the job was on another machine that we do not see from here."""
    native_id = start.native_id if start else None
    if pids and start:
        return Witness(state=BatchState.RUNNING, native_id=native_id)
    if pids:
        return Witness(state=BatchState.QUEUED, reason="Slots", meaning=_SLOTS)
    if start is None or boot == machine.boot:
        return Witness(state=BatchState.LOST, native_id=native_id, word="no process", cause=FailureCause.LOST)
    if start.host == machine.host:
        return Witness(state=BatchState.LOST, native_id=native_id, word="rebooted", cause=FailureCause.NODE_FAILURE)
    return None
