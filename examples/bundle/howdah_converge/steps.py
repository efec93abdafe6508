"""The bundle's own step: a name that is never changed, two types, and how long it may take."""

from howdah.steps import Step, seconds
from howdah_converge.models import Printed, Verdict

judge = Step("converge.judge", Printed, Verdict, within=seconds(60), heartbeat=seconds(15))
