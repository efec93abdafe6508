"""What ledger, scheduler and howdah say of the same jobs, held against each other. Pure: no site, no clock."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from howdah.models.causes import FailureCause
from howdah.models.progress import AttemptRecord, Progress
from howdah.models.states import JobState
from howdah.proof.ledger import Entry, Word


class Seen(NamedTuple):
    """A batch job as the site's scheduler has it. `word` is the scheduler's own."""

    native_id: str
    key: str
    word: str
    alive: bool


@dataclass(frozen=True)
class Expected:
    """How an experiment may end. `exit_code` is what its attempt must tell; None: anything."""

    states: frozenset[JobState] = frozenset({JobState.SUCCEEDED})
    cause: FailureCause | None = None
    exit_code: int | None = None


@dataclass(frozen=True)
class Judgement:
    """A sentence for each fault that was found. `second` are batch jobs beyond the first of an attempt: None where
    the site has no scheduler that could have been asked."""

    attempts: int
    bodies: int
    second: int | None
    lost: tuple[str, ...] = ()
    duplicated: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return not (self.lost or self.duplicated or self.wrong or self.orphans)


class _Bodies:
    """The ledger, attempt by attempt."""

    def __init__(self, entries: Collection[Entry]) -> None:
        self._by: dict[tuple[Word, str], list[Entry]] = defaultdict(list)
        for entry in entries:
            self._by[entry.word, entry.key].append(entry)
        self.keys = {entry.key for entry in entries}

    def of(self, word: Word, key: str) -> list[Entry]:
        return self._by.get((word, key), [])


_Find = Callable[[Expected, Progress | None, _Bodies], str]
"""Gives the end of a sentence that begins with the experiment's id; nothing when all is well."""


def judge(
    expected: Mapping[str, Expected],
    known: Mapping[str, Progress],
    entries: Collection[Entry],
    seen: Collection[Seen],
    *,
    counted: bool,
) -> Judgement:
    """`known` is what howdah tells of its experiments by id, `seen` every batch job that the scheduler ever had, alive
    or not as it was in the end; `counted`: it had a record of each. What no experiment knows is an orphan."""
    bodies = _Bodies(entries)
    attempts = {record.key: record for progress in known.values() for record in progress.attempts}
    return Judgement(
        attempts=len(attempts),
        bodies=sum(len(bodies.of(Word.BEGAN, key)) for key in bodies.keys),
        second=_second(seen) if counted else None,
        lost=tuple(_each(_lost, expected, known, bodies)),
        duplicated=(*_twice_begun(bodies), *_each(_twice_done, expected, known, bodies)),
        wrong=tuple(_each(_wrong, expected, known, bodies)),
        orphans=(*_alive(seen), *_strange(bodies.keys | {row.key for row in seen}, attempts)),
    )


def _each(find: _Find, expected: Mapping[str, Expected], known: Mapping[str, Progress], bodies: _Bodies) -> list[str]:
    found = ((name, find(wish, known.get(name), bodies)) for name, wish in expected.items())
    return [f"{name} {sentence}" for name, sentence in found if sentence]


def _lost(wish: Expected, told: Progress | None, bodies: _Bodies) -> str:
    if told is None:
        return "is not known to howdah"
    if not told.state.is_final:
        waits = f": {told.waiting.message}" if told.waiting else ""
        return f"did not come to an end, it is {told.state}{waits}"
    if told.state is JobState.SUCCEEDED and (told.attempt is None or not bodies.of(Word.ENDED, told.attempt.key)):
        return "is called succeeded, but the body of its last attempt did not come to its end"
    return ""


def _twice_begun(bodies: _Bodies) -> list[str]:
    counted = {key: bodies.of(Word.BEGAN, key) for key in sorted(bodies.keys)}
    return [
        f"attempt {key} began {len(found)} bodies, in batch jobs {', '.join(entry.native_id for entry in found)}"
        for key, found in counted.items()
        if len(found) > 1
    ]


def _twice_done(wish: Expected, told: Progress | None, bodies: _Bodies) -> str:
    done = _complete(told, bodies) if told else []
    return f"was carried out to its end by attempts {', '.join(done)}" if len(done) > 1 else ""


def _wrong(wish: Expected, told: Progress | None, bodies: _Bodies) -> str:
    if told is None or not told.state.is_final:
        return ""  # lost, which is worse
    if late := _after_cancelled(told, bodies):
        return late
    if told.state not in wish.states:
        return f"ended as {told.state}{_because(told)}, not as {' or '.join(sorted(wish.states))}"
    return _wrong_cause(wish, told)


def _wrong_cause(wish: Expected, told: Progress) -> str:
    cause = told.failure.cause if told.failure else None
    if wish.cause and cause != wish.cause:
        return f"has the cause {cause}, not {wish.cause}"
    code = told.attempt.exit_code if told.attempt else None
    if wish.exit_code is not None and code != wish.exit_code:
        return f"has the exit code {code}, not {wish.exit_code}"
    return ""


def _after_cancelled(told: Progress, bodies: _Bodies) -> str:
    for record in told.attempts:
        said = min((entry.at for entry in bodies.of(Word.TOLD, record.key)), default=None)
        for entry in bodies.of(Word.BEGAN, record.key):
            if said is not None and entry.at > said:
                return f"began a body {entry.at - said:.1f} s after it was told to be cancelled"
    return ""


def _because(told: Progress) -> str:
    return f" ({told.failure.cause}: {told.failure.message})" if told.failure else ""


def _complete(told: Progress, bodies: _Bodies) -> list[str]:
    """Attempts of which a body came to its end."""
    return [str(record.number) for record in told.attempts if bodies.of(Word.ENDED, record.key)]


def _second(seen: Collection[Seen]) -> int:
    ids = Counter(key for _, key in {(row.native_id, row.key) for row in seen})
    return sum(number - 1 for number in ids.values())


def _alive(seen: Collection[Seen]) -> list[str]:
    return [f"batch job {row.native_id} ({row.key}) is still {row.word}" for row in seen if row.alive]


def _strange(keys: set[str], attempts: Mapping[str, AttemptRecord]) -> list[str]:
    return [f"nobody knows the attempt {key} that ran at the site" for key in sorted(keys - attempts.keys())]
