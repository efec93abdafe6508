"""Slurm, from 17.11 on (seen with 22.05): commands every release has, no JSON, names and ids never taken on trust."""

from collections.abc import Sequence

from howdah.activities.schedulers import Keyed, Question, checks, command, oneshot, slurm_jobs, slurm_script
from howdah.activities.schedulers.records import Look
from howdah.activities.schedulers.slurm_check import read_check
from howdah.activities.schedulers.slurm_sightings import sightings
from howdah.activities.schedulers.slurm_states import FINAL
from howdah.activities.schedulers.slurm_words import deaf, is_ambiguous_function, refusal
from howdah.activities.schedulers.snippets import snippet
from howdah.errors import OutcomeUnknown
from howdah.models.answers import BatchRow, Check
from howdah.models.batch import Glance, Sighting
from howdah.models.job import Attempt, BatchJob, Cancelled
from howdah.models.sites import SlurmSite


class Slurm:
    """A cluster run by Slurm. The job's name is the key; the job claims its attempt before it runs anything."""

    def __init__(self, site: SlurmSite) -> None:
        self.site = site

    def script(self, attempt: Attempt) -> str:
        return slurm_script.render(attempt, self.site, self._folder(attempt))

    def submit(self, attempt: Attempt) -> Question[BatchJob]:
        folder = self._folder(attempt)
        files = {"script": self.script(attempt), "command": command.render(attempt, self.site, folder)}
        if text := command.inner(attempt):
            files["inner"] = text
        limits = self.site.limits
        # Slurm starts what it has when it likes: no more may be there than may run.
        most = min(limits.submitted, limits.running or limits.submitted)
        return oneshot.submit(attempt, functions=_functions(), files=files, refusal=refusal, most=most)

    def glance(self, *, fresh: float = 0.0) -> Question[Glance] | None:
        return None

    def poll(
        self, attempts: Sequence[Attempt], *, closely: bool = False, fresh: float = 0.0
    ) -> Question[dict[str, Sighting]]:
        """A Slurm that gives no answer does not hide the folders: what the wrappers left there is told all the same,
        with `deaf` set. Without attempts it is asked whether it answers, and its error is raised."""
        look = Look(attempts, closely=closely)
        script = look.begin() + snippet("slurm") + snippet("slurm_poll")
        if closely:
            script += snippet("slurm_closely") + look.over_folders("describe")
        script += look.end()

        def read(out: str) -> dict[str, Sighting]:
            found = look.found(out)
            answered = found.all("asked")
            if not answered or not found.all("done"):
                raise OutcomeUnknown("The site's answer is not complete.", says=found.said)
            trouble = None if answered == ["0"] else deaf(int(answered[0]), found.said)
            if trouble and not attempts:
                raise trouble
            why = f"{trouble.message} {trouble.says}".strip() if trouble else ""
            return sightings(attempts, found, closely=closely, deaf=why[:1000])

        return Question(script, read, within=60.0 + len(attempts) * (60 if closely else 0.01))

    def cancel(self, job: Keyed, *, origin: str = "") -> Question[Cancelled | None]:
        return oneshot.cancel(job, functions=_functions(), refusal=deaf, origin=origin)

    def jobs(self) -> Question[tuple[BatchRow, ...]]:
        return slurm_jobs.jobs(deaf)

    def check(self) -> Question[tuple[Check, ...]]:
        return Question(checks.script(self.site, "slurm_check"), read_check, within=180.0)

    def _folder(self, attempt: Attempt) -> str:
        return attempt.folder or f"{self.site.scratch}/{attempt.subfolder}"


def _functions() -> str:
    is_final = f"is_final() {{\n  case $1 in {'|'.join(FINAL)}) return 0 ;; esac\n  return 1\n}}\n"
    return snippet("slurm") + is_final + is_ambiguous_function()
