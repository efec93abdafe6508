"""How batch jobs end, and what is right to say of each: the table.

An exit code between 129 and 159 is told as the signal that shells mean by it, for a program that a signal ended and
one that said so look the same to everybody; the exit code itself is always told as it was.
"""

import signal
from dataclasses import dataclass, field
from typing import Any

from howdah.models.causes import FailureCause
from howdah.models.states import BatchState
from howdah.testing import endings_acts as acts

LONG = "touch running; sleep 300"
TWO_LIVES = f"[ -e running ] && exit 0; {LONG}"
"""Runs until it is taken away, and ends well when it runs again."""
DEAF = "trap '' TERM; touch running; sleep 300 & while :; do wait; done"
POLITE = "trap 'exit 0' TERM; touch running; sleep 300 & wait"
EATS = "head -c 200000000 /dev/zero | tail -n 1 >/dev/null"
"""Needs 200 MB, for `tail` keeps the line."""


@dataclass(frozen=True)
class Ending:
    """`command` runs with the further directives and resources; `act` is what is done to the job meanwhile."""

    name: str
    command: str
    state: BatchState
    cause: FailureCause | None = None
    exit_code: int | None = None
    signal: int | None = None
    act: acts.Act | None = None
    seen: frozenset[BatchState] = frozenset()
    """States that a watcher must have been told of on the way."""
    directives: tuple[str, ...] = ()
    resources: dict[str, Any] = field(default_factory=dict[str, Any])
    needs: str = ""
    """`memory_limits`, or `other_user`: jobs that belong to somebody else than the operator."""
    fleeting: bool = False
    """Nobody but the scheduler knows of it: where that forgets it at once and there is no accounting, less is as
    true, for a look may have come too late."""
    untraceable: bool = False
    """With its folder its id is gone, by which one would ask the accounting."""
    patient: bool = False
    """Takes half a minute, for Slurm looks at clocks as seldom."""


def exits(code: int) -> Ending:
    if code == 0:
        return Ending("exit code 0", "exit 0", BatchState.COMPLETED, exit_code=0)
    number = code - 128 if 128 < code < 160 else None
    cause = FailureCause.PROGRAM_SIGNAL if number else FailureCause.PROGRAM_EXIT
    return Ending(f"exit code {code}", f"exit {code}", BatchState.FAILED, cause, code, number)


_IGNORED = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
_STOPPING = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}


def killed_by(number: int) -> Ending:
    """The program gets a signal from within. Some do nothing, and some only stop it until it is told to go on."""
    name = f"signal {number} ({signal.Signals(number).name})"
    if number in _IGNORED | _STOPPING:
        command = f"(sleep 1; kill -CONT $$) & kill -{number} $$; wait; exit 0"
        return Ending(name, command, BatchState.COMPLETED, exit_code=0)
    return Ending(
        name, f"kill -{number} $$", BatchState.FAILED, FailureCause.PROGRAM_SIGNAL, 128 + number, signal=number
    )


def signalled_by_site(number: int) -> Ending:
    """Every process of the job gets the signal. Of some the wrapper dies, too, and the scheduler alone knows."""
    name = f"every process sent signal {number} ({signal.Signals(number).name})"
    code = 128 + number if number in _PASSED_ON else None
    cause = FailureCause.PROGRAM_SIGNAL
    return Ending(name, LONG, BatchState.FAILED, cause, code, number, act=acts.signalled(number), fleeting=code is None)


_PASSED_ON = {signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU}
_HELD = {"act": acts.released, "seen": frozenset({BatchState.HELD}), "directives": ("--hold",)}
_QUEUE = "queue"


def _well(name: str, command: str, **more: Any) -> Ending:
    return Ending(name, command, BatchState.COMPLETED, exit_code=0, **more)


def _failed(name: str, command: str, cause: FailureCause, code: int | None = None, **more: Any) -> Ending:
    return Ending(name, command, BatchState.FAILED, cause, code, **more)


def _cancelled(name: str, command: str, act: acts.Act, code: int | None = None, **more: Any) -> Ending:
    return Ending(name, command, BatchState.CANCELLED, FailureCause.CANCELLED_OUTSIDE, code, act=act, **more)


def _at(node: str) -> dict[str, Any]:
    return {"resources": {"queue": node}}


REQUEUE = ("--requeue",)

TURNS = (
    # cancelled at the site
    _cancelled("cancelled by an operator", LONG, acts.cancelled_by_operator, 143, needs="other_user"),
    _cancelled("cancelled by its own user", LONG, acts.cancelled_by_its_user, 143),
    _cancelled("cancelled in the queue", "true", acts.cancelled_in_the_queue, directives=("--hold",), fleeting=True),
    _cancelled("cancelled, and the program is deaf to it", DEAF, acts.cancelled_by_operator),
    _cancelled("cancelled, and the program ends with 0", POLITE, acts.cancelled_by_operator, 0),
    # held, suspended, requeued
    _well("held and released", "true", **_HELD),
    _well(
        "suspended and resumed",
        "touch running; sleep 3",
        act=acts.suspended_and_resumed,
        seen=frozenset({BatchState.SUSPENDED}),
    ),
    _well("requeued while it ran", TWO_LIVES, act=acts.requeued, directives=REQUEUE),
    _well("requeued and held while it ran", TWO_LIVES, act=acts.requeued_and_held, directives=REQUEUE),
    # time
    _failed("walltime", LONG, FailureCause.WALLTIME, 143, act=acts.out_of_time, patient=True),
    _failed("walltime, and the program is deaf to it", DEAF, FailureCause.WALLTIME, act=acts.out_of_time, patient=True),
    _failed(
        "walltime, and the program ends with 0", POLITE, FailureCause.WALLTIME, 0, act=acts.out_of_time, patient=True
    ),
    # memory
    _failed("out of memory", f"exec {EATS}", FailureCause.OUT_OF_MEMORY, 137, needs="memory_limits"),
    _well("a child out of memory, and the program goes on", f"({EATS}); exit 0", needs="memory_limits"),
    # nodes
    _failed(
        "node crashed", LONG, FailureCause.NODE_FAILURE, act=acts.on_crash_of("node2"), **_at("node2"), fleeting=True
    ),
    _failed("node called down", LONG, FailureCause.NODE_FAILURE, 143, act=acts.called_down("node3"), **_at("node3")),
    _well(
        "node crashed, and the job requeued",
        TWO_LIVES,
        act=acts.crashed_and_moved("node4", to="debug"),
        directives=REQUEUE,
        **_at("node4"),
    ),
    # preemption
    _failed("preempted", LONG, FailureCause.PREEMPTED, 143, act=acts.preempted_in("urgent5"), **_at("spare5")),
    _failed(
        "preempted where jobs are requeued, but not this one",
        LONG,
        FailureCause.PREEMPTED,
        143,
        act=acts.preempted_in("urgent6"),
        **_at("spare6"),
    ),
    _well(
        "preempted and requeued",
        TWO_LIVES,
        act=acts.preempted_in("urgent7", again=True),
        directives=REQUEUE,
        **_at("spare7"),
    ),
    # launching
    _failed(
        "a log that cannot be written",
        "true",
        FailureCause.LAUNCH_FAILURE,
        directives=("--output=/nonexistent/log",),
        fleeting=True,
    ),
    _failed(
        "a working folder that is not there",
        "true",
        FailureCause.LAUNCH_FAILURE,
        directives=("--chdir=/nonexistent",),
        fleeting=True,
    ),
    _failed(
        "a folder purged in the queue",
        "true",
        FailureCause.LAUNCH_FAILURE,
        act=acts.spoilt(acts.purged),
        directives=("--hold",),
        fleeting=True,
        untraceable=True,
    ),
    _failed("prolog failed", "true", FailureCause.LAUNCH_FAILURE, **_at("node8"), fleeting=True),
    _well(
        "prolog failed, the job requeued and released",
        "true",
        act=acts.released_after_a_failed_prolog,
        seen=frozenset({BatchState.HELD}),
        directives=REQUEUE,
        **_at("node9"),
    ),
    _failed("an interpreter that is not there", "#!/nonexistent/interpreter\n", FailureCause.PROGRAM_EXIT, 127),
    # the wrapper's own exit codes
    Ending(
        "cancelled through howdah before it began",
        "true",
        BatchState.CANCELLED,
        FailureCause.CANCELLED,
        215,
        act=acts.spoilt(acts.tombstone),
        directives=("--hold",),
        fleeting=True,
    ),
    Ending(
        "claimed by another batch job",
        "true",
        BatchState.LOST,
        FailureCause.LOST,
        act=acts.spoilt(acts.claimed_by_another),
        directives=("--hold",),
    ),
    _failed(
        "a folder of somebody else",
        "true",
        FailureCause.CONFIGURATION,
        214,
        act=acts.spoilt(acts.key_of_another),
        directives=("--hold",),
        fleeting=True,
    ),
)

EXITS = tuple(exits(code) for code in range(256))
SIGNALS = tuple(killed_by(number) for number in range(1, 32))
SIGNALLED = tuple(
    signalled_by_site(number)
    # With KILL and TERM it is a scancel like any other.
    for number in sorted(set(range(1, 32)) - {signal.SIGKILL, signal.SIGTERM, *_IGNORED, *_STOPPING})
)
CORNERS = tuple(EXITS[code] for code in (0, 1, 2, 126, 127, 128, 129, 137, 143, 159, 160, 192, 213, 214, 215, 255))
QUICK = tuple(ending for ending in TURNS if not ending.patient)
EVERYTHING = EXITS + SIGNALS + SIGNALLED + TURNS
SOME = CORNERS[::3] + QUICK
"""For worlds in which looking at an end takes long."""
PLAIN = CORNERS[::3] + tuple(ending for ending in QUICK if ending.cause is FailureCause.CANCELLED_OUTSIDE)
"""What Slurm's controller lives through while slurmdbd is frozen: a node that fails, or a job that is requeued, makes
that of 22.05 stand still until it thaws."""
