"""A bundle whose light part is sound and whose work cannot be imported."""

from howdah.models.sites import ForkSite
from howdah.models.spec import ExperimentSpec
from howdah.plugins import JobType, SiteKind

job_type = JobType("hollow", "is not there", ExperimentSpec, workflow="hollow_work:Hollow", task_queue="hollow")
site_kind = SiteKind("hollow", "is not there", ForkSite, "hollow_work:Scheduler")
