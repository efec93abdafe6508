"""What is proved, one scenario each."""

from howdah.proof.scenarios.absence import Absence
from howdah.proof.scenarios.cancels import Cancels
from howdah.proof.scenarios.endings import Endings
from howdah.proof.scenarios.outage import Outage
from howdah.proof.scenarios.storm import Storm
from howdah.proof.scenarios.submissions import Submissions
from howdah.proof.stage import Scenario

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario for scenario in (Submissions(), Cancels(), Outage(), Absence(), Endings(), Storm())
}
"""In the order in which they are carried out."""
