"""What the bundle brings. Light: everybody who asks howdah what there is imports it, so the work is only named here."""

from howdah.plugins import JobType, SiteKind
from howdah_converge.models import ConvergeSpec, Workstation

job_type = JobType(
    "converge",
    "a batch job that runs again with more samples until its error is small enough",
    ConvergeSpec,
    workflow="howdah_converge.workflow:Converge",
    task_queue="converge",
    activities=("howdah_converge.activities:Judging",),
    trusts=("howdah_converge.models", "howdah_converge.steps"),
)

site_kind = SiteKind(
    "workstation",
    "somebody's own machine, where our jobs step aside",
    Workstation,
    "howdah_converge.scheduler:Polite",
)
