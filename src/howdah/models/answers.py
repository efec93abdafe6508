"""What a site is asked from outside a workflow, and its answers."""

from datetime import datetime

from howdah.models.batch import BatchStatus, Sighting
from howdah.models.data import Data
from howdah.models.job import Attempt


class ReadLog(Data):
    """Read `stream` (stdout or stderr) from byte `offset` on; wait up to `patience` seconds for more."""

    attempt: Attempt
    stream: str = "stdout"
    offset: int = 0
    patience: float = 0.0
    limit: int = 256 * 1024


class LogChunk(Data):
    """`offset` is where to read on. `ended`: the job is over and this was the last of it."""

    text: str
    offset: int
    ended: bool
    dropped: int = 0
    """Bytes left out before this chunk, because there were too many."""


class Explanation(Data):
    """What the site says about a batch job right now, and what that means."""

    sighting: Sighting
    status: BatchStatus
    lines: tuple[str, ...]


class Nothing(Data):
    """No input."""


class Check(Data):
    """One line of `howdah site check`."""

    name: str
    ok: bool
    found: str
    hint: str = ""


class Checks(Data):
    checks: tuple[Check, ...]


class WorkerRow(Data):
    """One process, as far as it serves one site (or, without a site, workflows).

    `cpu` and `memory` are fractions of its whole host. `slots_*` count activities, or workflow tasks.
    """

    host: str
    pid: str
    identity: str
    queues: tuple[str, ...]
    site: str | None
    capabilities: tuple[str, ...]
    status: str
    slots_used: int
    slots_available: int
    cpu: float
    memory: float
    seen: datetime
    sdk: str
