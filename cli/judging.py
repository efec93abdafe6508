"""Whose a batch job is: from what its site tells of it and what experiments know. Decisions only, nothing is asked."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from howdah.cli.judged import JobRow, Verdict
from howdah.models.answers import BatchRow
from howdah.models.job import is_key_of
from howdah.models.progress import AttemptRecord
from howdah.models.states import BatchState, JobState

WATCHED = {JobState.QUEUED, JobState.HELD, JobState.RUNNING, JobState.SUSPENDED}
"""An experiment in such a state believes that its batch job is at the site."""
MAY_HAVE_ONE = WATCHED | {JobState.SUBMITTING, JobState.STAGING_OUT, JobState.WAITING, JobState.CANCELLING}
_ATTEMPT = re.compile(r".*/([A-Za-z0-9][A-Za-z0-9._-]*)/[^/]+/([0-9]{1,6})-[^/]+")
_FIRST = range(1, 6)
"""Numbers of attempts to try when no folder tells it."""


@dataclass(frozen=True)
class Running:
    """An experiment that runs, as the server lists it."""

    id: str
    run_id: str
    site: str
    state: JobState


@dataclass(frozen=True)
class Standing:
    """An experiment that was asked closely. `answered`: by its workflow, so its attempts are known."""

    id: str
    state: JobState
    is_over: bool
    answered: bool = False
    attempts: tuple[AttemptRecord, ...] = ()

    def waits_for(self, key: str) -> bool:
        """It is that of its latest attempt, or of one that it has yet to see gone."""
        last = self.attempts[-1] if self.attempts else None
        return any(one.key == key and (one is last or not one.gone) for one in self.attempts)


def experiment_of(row: BatchRow, running: Iterable[Running]) -> str | None:
    """Whose attempt it is: by what its folder tells, by its path, or by its key."""
    if row.experiment:
        return row.experiment
    if path := _ATTEMPT.fullmatch(row.folder):
        return path[1]
    return next((one.id for one in running if _is_of(row, one)), None)


def is_expected(row: BatchRow, experiment: Running | None) -> bool:
    """Without asking its workflow: the key is of its run, and it is in a state to have a batch job.

    An experiment sees an attempt gone before it makes the next one, so what is of its run is of its latest attempt.
    """
    return experiment is not None and experiment.state in MAY_HAVE_ONE and _is_of(row, experiment)


def is_foreign(row: BatchRow, origin: str) -> bool:
    return row.marked and row.origin not in ("", origin)


def judge(row: BatchRow, site: str, origin: str, standing: Standing | None) -> JobRow:
    """`standing` of the experiment that it should be of; None when there is none."""
    if is_foreign(row, origin):
        return _told(row, site, Verdict.FOREIGN, "of another howdah")
    is_known, why = _known(row, standing)
    if is_known:
        return _told(row, site, Verdict.KNOWN, why)
    if row.marked and origin and row.origin == origin:
        return _told(row, site, Verdict.ORPHAN, why)
    return _told(row, site, Verdict.UNKNOWN_ORIGIN, _unknown(row, standing, why))


def expected(row: BatchRow, site: str, experiment: Running) -> JobRow:
    return _told(row.model_copy(update={"experiment": experiment.id}), site, Verdict.KNOWN, "")


def unmatched(running: Mapping[str, Running], rows: Iterable[JobRow]) -> list[Running]:
    """Experiments that believe in a batch job of which no row was seen."""
    seen = {row.experiment for row in rows if row.verdict is Verdict.KNOWN}
    return [one for one in running.values() if one.state in WATCHED and one.id not in seen]


def _known(row: BatchRow, standing: Standing | None) -> tuple[bool, str]:
    if standing is None:
        return False, "there is no such experiment here (any more)"
    if row.state is BatchState.COMPLETING:
        return True, "is ending"
    if standing.is_over:
        return False, f"its experiment is over: {standing.state.replace('_', ' ')}"
    if not standing.answered:
        return True, "its experiment runs, and no worker answers to tell of which attempt"
    if standing.waits_for(row.key):
        return True, ""
    number = standing.attempts[-1].number if standing.attempts else 0
    return False, f"its experiment is at attempt {number} now, which is another"


def _unknown(row: BatchRow, standing: Standing | None, why: str) -> str:
    whose = "of an older howdah" if row.marked else "its folder does not carry its key, so it may be anybody's"
    return f"{whose}; {why}" if standing else whose


def _told(row: BatchRow, site: str, verdict: Verdict, why: str) -> JobRow:
    return JobRow(**dict(row), site=site, verdict=verdict, why=why)


def _is_of(row: BatchRow, experiment: Running) -> bool:
    path = _ATTEMPT.fullmatch(row.folder)
    numbers = (int(path[2]),) if path else _FIRST
    return any(is_key_of(row.key, experiment.id, experiment.run_id, number) for number in numbers)
