"""Why something failed: a closed list, with what howdah does about it, and what to do next in plain words."""

from enum import StrEnum


class Policy(StrEnum):
    """What howdah does about a failure. `docs/states.md` shows it for every cause, in these words."""

    AGAIN = "tries again by itself"
    NEW_ATTEMPT = "a new attempt"
    SLOT = "waits for a slot"
    SITE = "the whole site waits"
    OPERATOR = "waits for an operator"
    FAILS = "fails"


class FailureCause(StrEnum):
    # the program
    PROGRAM_EXIT = "program_exit"
    PROGRAM_SIGNAL = "program_signal"
    WALLTIME = "walltime"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_MISSING = "output_missing"
    # the site
    NODE_FAILURE = "node_failure"
    PREEMPTED = "preempted"
    LAUNCH_FAILURE = "launch_failure"
    DEADLINE = "deadline"
    CANCELLED_OUTSIDE = "cancelled_outside"
    LOST = "lost"
    PURGED = "purged"
    REJECTED = "rejected"
    QUOTA = "quota"
    NO_SLOT = "no_slot"
    # the way there
    SITE_UNREACHABLE = "site_unreachable"
    CREDENTIALS = "credentials"
    HOST_KEY = "host_key"
    CONFIGURATION = "configuration"
    # the data
    INPUT_MISSING = "input_missing"
    INPUT_CHANGED = "input_changed"
    TRANSFER = "transfer"
    # howdah itself
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    WORKER_CRASH = "worker_crash"
    INTERNAL = "internal"

    @property
    def hint(self) -> str:
        """What to do next. `{id}` stands for the experiment, `{site}` for its site."""
        return _HINTS[self]

    @property
    def policy(self) -> Policy:
        """Of a failure of this job alone. One that names a part of its site is the site's trouble, whatever its cause,
        and `retry.on` of an experiment may ask for a new attempt after more causes."""
        return _POLICIES[self]

    @property
    def may_be_retried(self) -> bool:
        """An experiment may ask for a new attempt after it: it ends an attempt, and another may end otherwise."""
        return self.policy in (Policy.NEW_ATTEMPT, Policy.FAILS) and self not in _POINTLESS


_POLICIES = {
    FailureCause.PROGRAM_EXIT: Policy.FAILS,
    FailureCause.PROGRAM_SIGNAL: Policy.FAILS,
    FailureCause.WALLTIME: Policy.FAILS,
    FailureCause.OUT_OF_MEMORY: Policy.FAILS,
    FailureCause.OUTPUT_MISSING: Policy.FAILS,
    FailureCause.NODE_FAILURE: Policy.NEW_ATTEMPT,
    FailureCause.PREEMPTED: Policy.NEW_ATTEMPT,
    FailureCause.LAUNCH_FAILURE: Policy.NEW_ATTEMPT,
    FailureCause.DEADLINE: Policy.FAILS,
    FailureCause.CANCELLED_OUTSIDE: Policy.FAILS,
    FailureCause.LOST: Policy.NEW_ATTEMPT,
    FailureCause.PURGED: Policy.OPERATOR,
    FailureCause.REJECTED: Policy.OPERATOR,
    FailureCause.QUOTA: Policy.OPERATOR,
    FailureCause.NO_SLOT: Policy.SLOT,
    FailureCause.SITE_UNREACHABLE: Policy.AGAIN,
    FailureCause.CREDENTIALS: Policy.SITE,
    FailureCause.HOST_KEY: Policy.SITE,
    FailureCause.CONFIGURATION: Policy.OPERATOR,
    FailureCause.INPUT_MISSING: Policy.OPERATOR,
    FailureCause.INPUT_CHANGED: Policy.OPERATOR,
    FailureCause.TRANSFER: Policy.OPERATOR,
    FailureCause.EXPIRED: Policy.FAILS,
    FailureCause.CANCELLED: Policy.FAILS,
    FailureCause.WORKER_CRASH: Policy.OPERATOR,
    FailureCause.INTERNAL: Policy.OPERATOR,
}

_POINTLESS = {FailureCause.EXPIRED, FailureCause.CANCELLED}
"""The time is over, or a person does not want it: no attempt would be allowed to go on."""

_HINTS = {
    FailureCause.PROGRAM_EXIT: "read its own words: howdah logs {id} --stderr; mend it, then: howdah retry {id}",
    FailureCause.PROGRAM_SIGNAL: "the program was killed; read: howdah logs {id} --stderr; then: howdah retry {id}",
    FailureCause.WALLTIME: "ask for more time: howdah retry {id} --set resources.walltime=2h",
    FailureCause.OUT_OF_MEMORY: "ask for more memory: howdah retry {id} --set resources.memory=8G",
    FailureCause.OUTPUT_MISSING: "name what it did write; it is not run again: howdah retry {id} --set 'outputs=[F]'",
    FailureCause.NODE_FAILURE: "the machine failed, not the program: howdah retry {id}",
    FailureCause.PREEMPTED: "a more important job took its place: howdah retry {id}",
    FailureCause.LAUNCH_FAILURE: "it never began; try again, here or elsewhere: howdah retry {id} --site {site}",
    FailureCause.DEADLINE: "ask for less time: howdah retry {id} --set resources.walltime=30m",
    FailureCause.CANCELLED_OUTSIDE: "somebody cancelled it at the site, not through howdah: howdah retry {id}",
    FailureCause.LOST: "nobody at the site knows how the job ended; submitting again is safe: howdah retry {id}",
    FailureCause.PURGED: "the job's folder is gone from the site; a new attempt makes another: howdah retry {id}",
    FailureCause.REJECTED: "change what the scheduler refused, e.g.: howdah retry {id} --set resources.queue=NAME",
    FailureCause.QUOTA: "make room at site {site}, then: howdah retry {id}",
    FailureCause.NO_SLOT: "it is asked again by itself as soon as the site may have a slot",
    FailureCause.SITE_UNREACHABLE: "it is tried again by itself; see: howdah site check {site}",
    FailureCause.CREDENTIALS: "renew your login, check it: howdah site check {site}; then: howdah retry {id}",
    FailureCause.HOST_KEY: "if the site really has a new key: howdah site trust {site}; then: howdah retry {id}",
    FailureCause.CONFIGURATION: "mend the site, check it: howdah site check {site}; then: howdah retry {id}",
    FailureCause.INPUT_MISSING: "put the input where the experiment says it is, then: howdah retry {id}",
    FailureCause.INPUT_CHANGED: "restore the input or correct its sha256, then: howdah retry {id}",
    FailureCause.TRANSFER: "see the message; when the cause is mended: howdah retry {id}",
    FailureCause.EXPIRED: "give it more time, from now on: howdah retry {id} --set expires=2d",
    FailureCause.CANCELLED: "to run it after all: howdah retry {id}",
    FailureCause.WORKER_CRASH: "look into the worker's log and its memory; then: howdah retry {id}",
    FailureCause.INTERNAL: "this is a fault of howdah; please report the message, then: howdah retry {id}",
}
