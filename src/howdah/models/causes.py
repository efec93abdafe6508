"""Why something failed: a closed list, with what to do next in plain words."""

from enum import StrEnum


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
    INTERNAL = "internal"

    @property
    def hint(self) -> str:
        """What to do next. `{id}` stands for the experiment, `{site}` for its site."""
        return _HINTS[self]


_HINTS = {
    FailureCause.PROGRAM_EXIT: "read the program's own words: howdah logs {id} --stderr; mend, then: howdah retry {id}",
    FailureCause.PROGRAM_SIGNAL: "the program was killed; read: howdah logs {id} --stderr; then: howdah retry {id}",
    FailureCause.WALLTIME: "ask for more time: howdah retry {id} --set resources.walltime=2h",
    FailureCause.OUT_OF_MEMORY: "ask for more memory: howdah retry {id} --set resources.memory=8G",
    FailureCause.OUTPUT_MISSING: "see what the job did write: howdah logs {id}; then: howdah retry {id}",
    FailureCause.NODE_FAILURE: "the machine failed, not the program: howdah retry {id}",
    FailureCause.PREEMPTED: "a more important job took its place: howdah retry {id}",
    FailureCause.LAUNCH_FAILURE: "the site could not start it; see the scheduler's words, then: howdah retry {id}",
    FailureCause.DEADLINE: "the site's deadline passed before the job could end: howdah retry {id}",
    FailureCause.CANCELLED_OUTSIDE: "somebody cancelled it at the site, not through howdah: howdah retry {id}",
    FailureCause.LOST: "nobody at the site knows how the job ended; submitting again is safe: howdah retry {id}",
    FailureCause.PURGED: "the job's folder is gone from the site; a new attempt makes another: howdah retry {id}",
    FailureCause.REJECTED: "change what the scheduler refused, e.g.: howdah retry {id} --set resources.queue=NAME",
    FailureCause.QUOTA: "make room at site {site}, then: howdah retry {id}",
    FailureCause.NO_SLOT: "howdah asks again by itself as soon as the site may have a slot",
    FailureCause.SITE_UNREACHABLE: "howdah tries again by itself; see: howdah site check {site}",
    FailureCause.CREDENTIALS: "renew your login, check it: howdah site check {site}; then: howdah retry {id}",
    FailureCause.HOST_KEY: "if the site really has a new key: howdah site trust {site}; then: howdah retry {id}",
    FailureCause.CONFIGURATION: "mend the site, check it: howdah site check {site}; then: howdah retry {id}",
    FailureCause.INPUT_MISSING: "put the input where the experiment says it is, then: howdah retry {id}",
    FailureCause.INPUT_CHANGED: "restore the input or correct its sha256, then: howdah retry {id}",
    FailureCause.TRANSFER: "see the message; when the cause is mended: howdah retry {id}",
    FailureCause.EXPIRED: "start it again with a later 'expires'",
    FailureCause.CANCELLED: "to run it after all: howdah retry {id}",
    FailureCause.INTERNAL: "this is a fault of howdah; please report the message, then: howdah retry {id}",
}
