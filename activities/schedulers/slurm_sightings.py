"""What one look at Slurm and at the folders comes to, job by job."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from howdah.activities.schedulers.records import Found
from howdah.activities.schedulers.slurm_accounting import in_accounting
from howdah.activities.schedulers.slurm_limits import details
from howdah.activities.schedulers.slurm_states import FINAL, STATES, code_and_signal, witness
from howdah.activities.schedulers.slurm_words import left_by_the_wrapper, words_in_log
from howdah.models.batch import BatchState, Sighting, Witness
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt

_FIELD = re.compile(
    r"(?:^|\s)(JobId|JobName|JobState|Reason|ExitCode|Restarts|TimeLimit|Partition|Account|QOS|NumNodes|NumCPUs|TRES"
    r"|ReqTRES|NodeList)=(\S+)"
)


class Row(NamedTuple):
    """A row of squeue: `%i|%F|%T|%r|%N|%j`, the name last, for it may hold anything."""

    shown_id: str
    native_id: str
    state: str
    reason: str
    nodes: str
    name: str


def rows_by_name(found: Found) -> dict[str, list[Row]]:
    """Odd rows are left out, they never break the others. A submission that was refused may have left a row, too."""
    by_name: dict[str, list[Row]] = {}
    for text in found.rows:
        parts = text.split("|", len(Row._fields) - 1)
        if len(parts) == len(Row._fields) and parts[1].isdecimal() and parts[2:4] != ["FAILED", "BadConstraints"]:
            by_name.setdefault(parts[-1], []).append(Row(*parts))
    return by_name


def sightings(attempts: Sequence[Attempt], found: Found, *, closely: bool, deaf: str = "") -> dict[str, Sighting]:
    """`deaf`: why Slurm told nothing; then its rows, if there are any, are only some of them."""
    rows = {} if deaf else rows_by_name(found)
    seen = (_sighting(attempt, rows.get(attempt.key, []), found, closely) for attempt in attempts)
    return {sighting.key: sighting.model_copy(update={"deaf": deaf}) for sighting in seen}


def _sighting(attempt: Attempt, rows: list[Row], found: Found, closely: bool) -> Sighting:
    key, start = attempt.key, found.start(attempt.key)
    claimed_by = next(iter(found.of("claim", key)), None) or (start.native_id if start else None)
    known = _described(key, claimed_by, found)
    row = _in_queue(rows, claimed_by)
    queue = _with_exit_code(row, known) if row else _as_witness(known)
    nodes = known.get("NodeList") or (row.nodes if row else "")
    start = None if _is_past("start", key, known, found) else start
    past = _is_past("end", key, known, found)
    log = found.text("log", key) or found.text("told", key)
    native_id = known.get("JobId") or claimed_by or _noted_id(key, found)
    left = left_by_the_wrapper(log, native_id) if start is None else None
    accounting = in_accounting(key, native_id, found, begun=start is not None)
    return Sighting(
        key=key,
        claimed_by=claimed_by,
        start=start,
        end=None if past else found.end(key),
        queue=_never_launched(queue, nodes, accounting) if start is None else queue,
        accounting=accounting,
        words=words_in_log(log) or (_left(native_id, left) if left else None),
        folder_exists=not found.of("gone", key),
        scratch_exists=not found.of("unmounted", key),
        past=past,
        looked_closely=closely,
        stderr_tail=found.text("stderr", key).rstrip("\n")[-8192:],
        details=details(attempt, known, found),
    )


def _in_queue(rows: list[Row], claimed_by: str | None) -> Row | None:
    """Of several jobs with the key the one that claimed the attempt counts; the others end by themselves. Of one id a
    federation may show the clusters that have given it away, too."""
    ours = [row for row in rows if claimed_by is None or row.native_id == claimed_by]
    if not ours:
        return None
    return min(ours, key=lambda row: (row.state in FINAL, int(row.native_id), _is_unknown(row.state)))


def _is_unknown(word: str) -> bool:
    return STATES.get(word, (BatchState.UNKNOWN, None))[0] is BatchState.UNKNOWN


def _noted_id(key: str, found: Found) -> str | None:
    return next(iter(found.of("job", key)), None)


def _described(key: str, claimed_by: str | None, found: Found) -> dict[str, str]:
    """The fields of `scontrol show job`. An id that has another name by now is not ours."""
    line = next(iter(found.of("scontrol", key)), "")
    fields: dict[str, str] = dict(reversed(_FIELD.findall(line)))  # the first of a name counts
    ours = fields.get("JobName") == key and (claimed_by is None or fields.get("JobId") == claimed_by)
    return fields if ours else {}


def _is_past(record: str, key: str, known: dict[str, str], found: Found) -> bool:
    """The record is of a life before the scheduler took the job back into its queue: nothing in it is of this one."""
    life, now = found.record(record, key).get("restarts", ""), known.get("Restarts", "")
    return life.isdecimal() and now.isdecimal() and int(life) < int(now)


def _as_witness(known: dict[str, str]) -> Witness | None:
    if "JobState" not in known:
        return None
    code, signal = code_and_signal(known.get("ExitCode", ""))
    said = witness(
        known["JobState"], native_id=known["JobId"], reason=known.get("Reason", ""), exit_code=code, signal=signal
    )
    return said if said.state.is_final else said.model_copy(update={"exit_code": None, "signal": None})


def _left(native_id: str | None, code: int) -> Witness:
    return Witness(state=BatchState.FAILED, native_id=native_id, word=f"exit code {code}", exit_code=code)


def _with_exit_code(row: Row, known: dict[str, str]) -> Witness:
    """squeue has the state, scontrol also the exit code; both asked at almost the same time."""
    queue = witness(row.state, native_id=row.native_id, reason=row.reason)
    described = _as_witness(known)
    if described is None or described.word != queue.word:
        return queue
    return described.model_copy(
        update={"reason": queue.reason or described.reason, "meaning": queue.meaning or described.meaning}
    )


def _never_launched(queue: Witness | None, nodes: str, accounting: Witness | None) -> Witness | None:
    """Slurm cancels a job itself when its node cannot start it (a failed prolog, an id the node still uses). It had
    machines then; one that a person cancels in the queue had none. Accounting may know the person."""
    had_machines = nodes not in ("", "(null)")
    a_person = accounting is not None and accounting.by != ""
    if queue is None or queue.state is not BatchState.CANCELLED or not had_machines or a_person:
        return queue
    return queue.model_copy(update={"state": BatchState.FAILED, "cause": FailureCause.LAUNCH_FAILURE})
