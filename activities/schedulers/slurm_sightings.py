"""What one look at Slurm and at the folders comes to, job by job."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from howdah.activities.schedulers.records import Found
from howdah.activities.schedulers.slurm_states import FINAL, code_and_signal, from_sacct, witness
from howdah.activities.schedulers.slurm_words import words_in_log
from howdah.models.batch import BatchState, Sighting, Witness
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt

_FIELD = re.compile(r"(?:^|\s)(JobId|JobName|JobState|Reason|ExitCode|TimeLimit|Partition|StartTime|NodeList)=(\S+)")


class Row(NamedTuple):
    """A row of squeue: `%i|%F|%T|%r|%j`, the name last, for it may hold anything."""

    shown_id: str
    native_id: str
    state: str
    reason: str
    name: str


def rows_by_name(found: Found) -> dict[str, list[Row]]:
    """Odd rows are left out, they never break the others. A submission that was refused may have left a row, too."""
    by_name: dict[str, list[Row]] = {}
    for text in found.rows:
        parts = text.split("|", 4)
        if len(parts) == len(Row._fields) and parts[1].isdecimal() and parts[2:4] != ["FAILED", "BadConstraints"]:
            by_name.setdefault(parts[4], []).append(Row(*parts))
    return by_name


def sightings(attempts: Sequence[Attempt], found: Found, *, closely: bool) -> dict[str, Sighting]:
    rows = rows_by_name(found)
    return {attempt.key: _sighting(attempt.key, rows.get(attempt.key, []), found, closely) for attempt in attempts}


def _sighting(key: str, rows: list[Row], found: Found, closely: bool) -> Sighting:
    start = found.start(key)
    claimed_by = next(iter(found.of("claim", key)), None) or (start.native_id if start else None)
    known = _described(key, claimed_by, found)
    queue = _in_queue(rows, claimed_by)
    queue = _with_exit_code(queue, known) if queue else _as_witness(known)
    return Sighting(
        key=key,
        claimed_by=claimed_by,
        start=start,
        end=found.end(key),
        queue=_never_launched(queue, known) if start is None else queue,
        accounting=_in_accounting(key, known.get("JobId") or claimed_by or _noted_id(key, found), found),
        words=words_in_log(found.text("log", key)),
        folder_exists=not found.of("gone", key),
        looked_closely=closely,
        stderr_tail=found.text("stderr", key).rstrip("\n")[-8192:],
        details=_details(key, known, found),
    )


def _in_queue(rows: list[Row], claimed_by: str | None) -> Witness | None:
    """Of several jobs with the key the one that claimed the attempt counts; the others end by themselves."""
    ours = [row for row in rows if claimed_by is None or row.native_id == claimed_by]
    if not ours:
        return None
    row = min(ours, key=lambda row: (row.state in FINAL, int(row.native_id)))
    return witness(row.state, native_id=row.native_id, reason=row.reason)


def _noted_id(key: str, found: Found) -> str | None:
    return next(iter(found.of("job", key)), None)


def _described(key: str, claimed_by: str | None, found: Found) -> dict[str, str]:
    """The fields of `scontrol show job`. An id that has another name by now is not ours."""
    line = next(iter(found.of("scontrol", key)), "")
    fields: dict[str, str] = dict(reversed(_FIELD.findall(line)))  # the first of a name counts
    ours = fields.get("JobName") == key and (claimed_by is None or fields.get("JobId") == claimed_by)
    return fields if ours else {}


def _as_witness(known: dict[str, str]) -> Witness | None:
    if "JobState" not in known:
        return None
    code, signal = code_and_signal(known.get("ExitCode", ""))
    said = witness(
        known["JobState"], native_id=known["JobId"], reason=known.get("Reason", ""), exit_code=code, signal=signal
    )
    return said if said.state.is_final else said.model_copy(update={"exit_code": None, "signal": None})


def _with_exit_code(queue: Witness, known: dict[str, str]) -> Witness:
    """squeue has the state, scontrol also the exit code; both asked at almost the same time."""
    described = _as_witness(known)
    if described is None or described.word != queue.word:
        return queue
    return described.model_copy(update={"reason": queue.reason or described.reason})


def _never_launched(queue: Witness | None, known: dict[str, str]) -> Witness | None:
    """Slurm cancels a job itself when its node cannot start it (a failed prolog, an id the node still uses). It had
    machines then; one that a person cancels in the queue had none."""
    had_machines = known.get("NodeList", "(null)") != "(null)"
    if queue is None or queue.state is not BatchState.CANCELLED or not had_machines:
        return queue
    return queue.model_copy(update={"state": BatchState.FAILED, "cause": FailureCause.LAUNCH_FAILURE})


def _in_accounting(key: str, native_id: str | None, found: Found) -> Witness | None:
    for line in found.all("sacct"):
        parts = line.split("|", 3)
        if len(parts) == 4 and parts[0] == native_id and parts[3] == key:
            code, signal = from_sacct(parts[2])
            return witness(parts[1], native_id=native_id, exit_code=code, signal=signal)
    return None


def _details(key: str, known: dict[str, str], found: Found) -> tuple[str, ...]:
    lines = [f"{label}: {known[name]}" for name, label in _SHOWN.items() if name in known]
    expected = next(iter(found.of("expected", key)), "")
    if re.match(r"\d{4}-", expected):
        lines.append(f"expected start: {expected}")
    partition = known.get("Partition")
    for line in found.all("partition"):
        fields = dict(re.findall(r"(\w+)=(\S+)", line))
        if partition and fields.get("PartitionName") == partition:
            lines.append(
                f"partition {partition}: state {fields.get('State', '?')}, at most {fields.get('MaxTime', '?')},"
                f" {fields.get('TotalNodes', '?')} nodes"
            )
    return tuple(lines)


_SHOWN = {"JobState": "state", "Reason": "reason", "Partition": "partition", "TimeLimit": "time limit"}
