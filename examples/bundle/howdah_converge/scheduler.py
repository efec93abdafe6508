"""A kind of site: a machine without a scheduler whose owner must not notice us."""

from dataclasses import replace

from howdah.activities.schedulers import Question
from howdah.activities.schedulers.fork import Fork
from howdah.models.answers import Check
from howdah.models.job import Attempt
from howdah_converge.models import Workstation

FIRST_LINE = "#!/bin/sh\n"


class Polite(Fork):
    """Like a site of the kind `fork`, but all that a job starts is nice to others."""

    def __init__(self, site: Workstation) -> None:
        super().__init__(site)
        self.nice = site.nice

    def script(self, attempt: Attempt) -> str:
        """`renice` of util-linux or busybox; a machine that has none runs the job all the same."""
        rest = super().script(attempt).removeprefix(FIRST_LINE)
        return f"{FIRST_LINE}renice -n {self.nice} -p $$ >/dev/null 2>&1\n{rest}"

    def check(self) -> Question[tuple[Check, ...]]:
        asked = super().check()

        def read(out: str) -> tuple[Check, ...]:
            return (*asked.read(out), Check(name="nice", ok=True, found=str(self.nice)))

        return replace(asked, read=read)
