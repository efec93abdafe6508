"""How the step is carried out, in a worker of the bundle. Here any library may be used, and anything read."""

import math
import re

from howdah.steps import carries_out
from howdah_converge.models import Printed, Verdict
from howdah_converge.steps import judge

ERROR = re.compile(r"^error\s+(\S+)\s*$", re.MULTILINE)


class Judging:
    @carries_out(judge)
    async def judge(self, printed: Printed) -> Verdict:
        """The last error counts. What is no number is none."""
        found = ERROR.findall(printed.text)
        try:
            error = float(found[-1])
        except (IndexError, ValueError):
            return Verdict(error=None, is_enough=False)
        if not math.isfinite(error):
            return Verdict(error=None, is_enough=False)
        return Verdict(error=error, is_enough=abs(error) <= printed.tolerance)
