"""What is carried out: a job, and each attempt at it."""

import hashlib
from base64 import b32encode
from datetime import datetime
from typing import Any, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from howdah.models.batch import BatchState, BatchStatus
from howdah.models.data import Data, Told
from howdah.models.progress import AnswerRecord, AttemptRecord, OutputFile
from howdah.models.spec import AnySpec, ExperimentSpec, fitted
from howdah.models.units import Line


class Recorded(Data):
    """What an input was when the experiment was started: a file, or a folder with all that is below it.

    `index` counts the spec's inputs from 0. `sha256` is the file's, or that of the folder's list of files.
    `at` is the depot's copy (URL or absolute path; of a folder, its list of files), when the client deposited one
    for workers that cannot see the original. `mode` holds the permission bits of a file.
    """

    index: int
    files: int
    bytes: int
    sha256: str
    folder: bool = False
    at: Line | None = None
    mode: int = 0o644


class Past(Data):
    """What a run has to know of the runs of the same experiment before it, apart from their attempts."""

    answers: tuple[AnswerRecord, ...] = ()
    warnings: tuple[str, ...] = ()
    tries: int = 0
    """Attempts since a person last had a say."""
    because: str = ""
    """Why the next attempt is made."""


class Job(Data):
    """The input of the workflow of a job type: a checked spec and what the client added to it."""

    experiment: str
    name: str = "main"
    spec: AnySpec
    site: str
    owner: Line
    base: Line
    """The absolute folder that relative inputs start from, as the staging worker sees it."""
    results: Line
    """The absolute folder, or the URL, that outputs come home to."""
    recorded: tuple[Recorded, ...] = ()
    """The local inputs as they were at the start, so that one edited later is refused rather than silently used."""
    created: datetime
    origin: str = Field(default="", pattern=r"^[A-Za-z0-9._-]{0,64}$")
    """Which Temporal server and namespace it was started on: batch jobs at a site carry it, so that each installation
    of howdah knows its own."""
    earlier: tuple[AttemptRecord, ...] = ()
    """The attempts of the runs before this one: it is the answer to `howdah retry`, or goes on with a fresh history."""
    past: Past = Past()
    take_up: int | None = None
    """The number of the earlier attempt whose program has ended well: only its outputs are to be brought home."""

    @property
    def for_steps(self) -> Self:
        """Without what only workflows need to know. A history holds it once for every step."""
        return self.model_copy(update={"spec": self.spec.for_sites(), "earlier": (), "past": Past(), "take_up": None})

    def of(self, kind: type[ExperimentSpec]) -> Self:
        """The same with a spec of this kind: what the workflow of a bundle's job type begins with."""
        return self.model_copy(update={"spec": fitted(self.spec, kind)})

    def changed_by(self, answer: "Resolution") -> Self:
        """As an operator wants it from the next attempt on. What was recorded of other inputs is forgotten."""
        spec = fitted(answer.spec, type(self.spec)) if answer.spec else self.spec
        kept = self.recorded if spec.inputs == self.spec.inputs else ()
        recorded = kept if answer.recorded is None else answer.recorded
        changes = {"spec": spec, "recorded": recorded}
        changes |= {"site": answer.site or self.site, "results": answer.results or self.results}
        return self.model_copy(update=changes)


class Attempt(Data):
    """One submission of a job: all that a step has to know."""

    job: Job
    number: int
    key: str
    site: str
    folder: str | None = None
    """Absolute, on the site; known once `prepare` has made it."""

    @classmethod
    def of(cls, job: Job, *, number: int, workflow_id: str, first_run_id: str) -> Self:
        return cls(job=job, number=number, site=job.site, key=attempt_key(job, workflow_id, first_run_id, number))

    def at(self, folder: str) -> Self:
        return self.model_copy(update={"folder": folder})

    @property
    def subfolder(self) -> str:
        """Below the site's scratch. Ends in part of the key, so that two installations that share a scratch,
        or an id used again years later, never share a folder."""
        return f"{self.job.experiment}/{self.job.name}/{self.number}-{self.key[-8:]}"


def attempt_key(job: Job, workflow_id: str, first_run_id: str, number: int) -> str:
    """The name of this attempt wherever it goes, first of all the scheduler's job name.

    The same on every retry, continue-as-new and reset (they keep the first run id), different for every attempt.
    """
    return f"hd-{job.spec.name[:32]}-{_digest(workflow_id, first_run_id, number)}"


def is_key_of(key: str, workflow_id: str, first_run_id: str, number: int) -> bool:
    """Whether `key` is that of this attempt. Nobody else's can be: run ids are not guessed."""
    return key.endswith(f"-{_digest(workflow_id, first_run_id, number)}")


def _digest(workflow_id: str, first_run_id: str, number: int) -> str:
    digest = hashlib.sha256(f"{workflow_id}\0{first_run_id}\0{number}".encode()).digest()
    return b32encode(digest).decode().lower()[:26]


class Workdir(Told):
    """The answer of `prepare`."""

    folder: str


class Staged(Told):
    """The answer of `stage_in`: what the manifest came to."""

    files: int
    bytes: int
    skipped: int = 0
    """Files that were there and right already."""


class BatchJob(Told):
    """The answer of `submit`: the job as its site knows it."""

    native_id: str
    found: bool = False
    """An earlier try had submitted it already."""
    crowd: int = 0
    """How many jobs the worker that answers watches at this site."""


class Watch(Data):
    """The input of `monitor`: answer when the state is another than `known`."""

    attempt: Attempt
    native_id: str
    known: BatchState
    until_end: bool = False
    """Answer only when it has ended."""


class Collect(Data):
    """The input of `stage_out`. Of a job that failed only its words and what is there are brought home."""

    attempt: Attempt
    status: BatchStatus


class Collected(Told):
    outputs: tuple[OutputFile, ...] = ()
    warnings: tuple[str, ...] = ()


class Cancelled(Told):
    """The answer of `cancel`: seen gone, not merely asked to go."""

    native_id: str | None = None
    had_begun: bool = False


class Resolution(Data):
    """An operator's answer: go on (with another spec or site if given), or give up."""

    retry: bool
    spec: AnySpec | None = None
    site: str | None = None
    recorded: tuple[Recorded, ...] | None = None
    """The local inputs as they are now, when they are to be taken so: this needs another attempt."""
    results: Line | None = None
    """Where outputs come home to, if that is to be otherwise: as `Job.results`."""
    by: Line = ""
    since: datetime | None = None
    """Which question is answered: the `since` of `Waiting`, or the `next_attempt` that is not to be waited for.
    Without it, whatever is asked when the answer arrives."""

    @model_serializer(mode="wrap")
    def _only_what_is_said(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A workflow of an earlier release refuses keys it does not know; so none is sent without need."""
        written: dict[str, Any] = write(self)
        return {key: value for key, value in written.items() if key not in _LATER or value is not None}

    @property
    def changes(self) -> bool:
        """Something is to be otherwise. In the first release that always took another attempt."""
        return self.spec is not None or self.site is not None or self.recorded is not None


_LATER = {"results"}
"""Keys of an answer that the first release did not know."""
