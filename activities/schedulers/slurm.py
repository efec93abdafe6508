"""Slurm, from 17.11 on (seen with 22.05): commands every release has, no JSON, names and ids never taken on trust."""

from collections.abc import Sequence

from howdah.activities.folder import scratch
from howdah.activities.schedulers import Keyed, Question, checks, command, oneshot, slurm_jobs, slurm_script
from howdah.activities.schedulers.records import Look
from howdah.activities.schedulers.slurm_check import read_check
from howdah.activities.schedulers.slurm_glance import WITHIN, Glances
from howdah.activities.schedulers.slurm_sightings import sightings
from howdah.activities.schedulers.slurm_states import FINAL
from howdah.activities.schedulers.slurm_words import deaf, is_ambiguous_function, refusal
from howdah.activities.schedulers.snippets import assign, snippet
from howdah.errors import OutcomeUnknown
from howdah.models.answers import BatchRow, Check
from howdah.models.batch import Glance, Sighting
from howdah.models.job import Attempt, BatchJob, Cancelled
from howdah.models.sites import SlurmSite

FEW = 1000
"""Up to so many keys only their rows are sent."""


class Slurm:
    """A cluster run by Slurm. The job's name is the key; the job claims its attempt before it runs anything."""

    def __init__(self, site: SlurmSite) -> None:
        self.site = site
        self._glances = Glances(deaf)

    def script(self, attempt: Attempt) -> str:
        return slurm_script.render(attempt, self.site, self._folder(attempt))

    def submit(self, attempt: Attempt) -> Question[BatchJob]:
        folder = self._folder(attempt)
        files = {"script": self.script(attempt), "command": command.render(attempt, self.site, folder)}
        if text := command.inner(attempt):
            files["inner"] = text
        return oneshot.submit(
            attempt, functions=self._functions(), files=files, refusal=refusal, most=self._most, count_once=True
        )

    def glance(self, *, fresh: float = 0.0) -> Question[Glance] | None:
        return self._glances.question(self._listing() + snippet("slurm"), fresh)

    def poll(
        self, attempts: Sequence[Attempt], *, closely: bool = False, fresh: float = 0.0
    ) -> Question[dict[str, Sighting]]:
        """A Slurm that gives no answer does not hide the folders: what the wrappers left there is told all the same,
        with `deaf` set. Without attempts it is asked whether it answers, and its error is raised."""
        look = Look(attempts, closely=closely)
        script = look.begin() + assign(fresh=int(fresh)) + self._listing() + snippet("slurm") + snippet("slurm_poll")
        few = len(attempts) <= FEW and all(attempt.folder for attempt in attempts)
        script += look.over_folders("rows_of_these") if few else "rows_of_all\n"
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

        return Question(script, read, within=WITHIN + len(attempts) * (60 if closely else 0.01))

    def cancel(self, job: Keyed, *, origin: str = "") -> Question[Cancelled | None]:
        return oneshot.cancel(job, functions=self._functions(), refusal=deaf, origin=origin)

    def jobs(self) -> Question[tuple[BatchRow, ...]]:
        return slurm_jobs.jobs(deaf)

    def check(self) -> Question[tuple[Check, ...]]:
        return Question(checks.script(self.site, "slurm_check"), read_check, within=180.0)

    def _folder(self, attempt: Attempt) -> str:
        return attempt.folder or f"{self.site.scratch}/{attempt.subfolder}"

    def _functions(self) -> str:
        """The same for all attempts."""
        is_final = f"is_final() {{\n  case $1 in {'|'.join(FINAL)}) return 0 ;; esac\n  return 1\n}}\n"
        settings = assign(limit=self._most, final="|".join(FINAL))
        return settings + self._listing() + snippet("slurm") + is_final + is_ambiguous_function()

    def _listing(self) -> str:
        view = assign(view=f"{self.site.name} {self.site.ssh or ''}")
        return f"scratch={scratch(self.site)}\n" + view + snippet("corner") + snippet("slurm_listing")

    @property
    def _most(self) -> int:
        """Slurm starts what it has when it likes: no more may be there than may run."""
        limits = self.site.limits
        return min(limits.submitted, limits.running or limits.submitted)
