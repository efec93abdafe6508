"""A machine without a scheduler: jobs are detached processes that outlive whoever started them."""

import math
from collections.abc import Sequence

from howdah.activities.schedulers import Keyed, Question, checks, command, fork_jobs, oneshot
from howdah.activities.schedulers.fork_sightings import sightings
from howdah.activities.schedulers.records import Look
from howdah.activities.schedulers.snippets import assign, snippet
from howdah.errors import OutcomeUnknown, Rejected, SiteError
from howdah.models.answers import BatchRow, Check
from howdah.models.batch import Glance, Sighting
from howdah.models.job import Attempt, BatchJob, Cancelled
from howdah.models.sites import ForkSite
from howdah.models.units import human_size


class Fork:
    """At most `limits.running` jobs at a time (default: as many as processors), in order of arrival.

    A job is found by the key in the environment of its processes, and ends when its command does: what it left
    running in the background is ended then, as batch systems do. Walltime is enforced (TERM, KILL after 10 s).

    Memory is not: a limit on address space stops sound programs that reserve more than they use, and control groups
    need rights that users do not have. So memory is only checked against what the machine has in all, and a job that
    asks for more is refused; likewise one that asks for several nodes. Tasks, processors and GPUs are taken on trust.

    Needs Linux (/proc), with flock and setsid of util-linux.
    """

    def __init__(self, site: ForkSite) -> None:
        self.site = site

    def script(self, attempt: Attempt) -> str:
        walltime = attempt.job.spec.resources.walltime
        settings = assign(
            folder=self._folder(attempt),
            key=attempt.key,
            root=self._root(attempt),
            runs=command.runner(attempt),
            running=self.site.limits.running,
            walltime=walltime and math.ceil(walltime.total_seconds()),
        )
        parts = (settings, snippet("fork_processes"), snippet("fork_wrapper"), snippet("wrapper"))
        return "#!/bin/sh\n" + "".join(parts)

    def submit(self, attempt: Attempt) -> Question[BatchJob]:
        if attempt.job.spec.resources.nodes > 1:
            raise Rejected(f"Site {self.site.name} is one machine; the job asks for several nodes.")
        folder = self._folder(attempt)
        files = {"script": self.script(attempt), "command": command.render(attempt, self.site, folder)}
        if text := command.inner(attempt):
            files["inner"] = text
        return oneshot.submit(
            attempt,
            functions=snippet("fork_processes") + snippet("fork"),
            settings=self._settings(attempt),
            files=files,
            refusal=_refusal,
            most=self.site.limits.submitted,
        )

    def glance(self, *, fresh: float = 0.0) -> Question[Glance] | None:
        return None

    def poll(
        self, attempts: Sequence[Attempt], *, closely: bool = False, fresh: float = 0.0
    ) -> Question[dict[str, Sighting]]:
        look = Look(attempts, closely=closely)

        def read(out: str) -> dict[str, Sighting]:
            found = look.found(out)
            if not found.all("machine") or not found.all("done"):
                raise OutcomeUnknown("The machine's answer is not complete.", says=found.said)
            return sightings(attempts, found, closely=closely)

        return Question(look.begin() + snippet("fork_poll") + look.end(), read, within=60.0 + len(attempts) * 0.01)

    def cancel(self, job: Keyed, *, origin: str = "") -> Question[Cancelled | None]:
        functions = snippet("fork_processes") + snippet("fork")
        return oneshot.cancel(job, functions=functions, refusal=_refusal, origin=origin)

    def jobs(self) -> Question[tuple[BatchRow, ...]]:
        return fork_jobs.jobs()

    def check(self) -> Question[tuple[Check, ...]]:
        return Question(checks.script(self.site, "fork_check"), _read_check)

    def _settings(self, attempt: Attempt) -> str:
        memory = attempt.job.spec.resources.memory
        return assign(root=self._root(attempt), memory=memory and math.ceil(memory / 1024))

    def _folder(self, attempt: Attempt) -> str:
        return attempt.folder or f"{self.site.scratch}/{attempt.subfolder}"

    def _root(self, attempt: Attempt) -> str:
        """The scratch, as found there: all jobs of the machine share the slots below it."""
        return self._folder(attempt).removesuffix(f"/{attempt.subfolder}")


def _refusal(code: int, said: str) -> SiteError:
    return Rejected(f"The machine refused the job: {said or f'exit code {code}'}", says=said)


def _read_check(out: str) -> tuple[Check, ...]:
    found = checks.topics(out)
    lacks = [Check(name=name, ok=False, found="missing", hint=f"install {name}") for name in found.get("missing", [])]
    processors = " ".join(found.get("processors", ["?"]))
    memory = " ".join(found.get("memory", []))
    return (
        Check(name="system", ok=not lacks, found=" ".join(found.get("system", ["unknown"]))),
        Check(name="processors", ok=True, found=processors),
        Check(name="memory", ok=True, found=human_size(int(memory) * 1024) if memory.isdecimal() else "unknown"),
        *lacks,
        checks.locks(found),
    )
