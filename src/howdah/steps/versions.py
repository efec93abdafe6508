"""What a new version is asked for before experiments begin on it: carried out by its own workers, with its own code."""

from howdah.models.versions import Follow, Followed, Ground, Replay, Replayed, SelfTest
from howdah.steps import Step, minutes, seconds

BEAT = seconds(30)
_GATE = ".gate."
PICKED_UP = minutes(2)
"""Its worker may be about to be started again; one that is gone for good is not waited for."""


def queue(workflows: str, build: str) -> str:
    """The task queue of a version's own steps. `workflows` is the one of its workflows."""
    return f"{workflows}{_GATE}{build}"


def workflows_beside(name: str) -> str:
    """The task queue of workflows that such a queue belongs to; any other is its own answer."""
    return name.partition(_GATE)[0]


replay = Step("versions.replay", Replay, Replayed, within=minutes(15), heartbeat=BEAT, picked_up=PICKED_UP)
find_ground = Step("versions.find_ground", SelfTest, Ground, within=minutes(1), heartbeat=BEAT, picked_up=PICKED_UP)
follow = Step("versions.follow", Follow, Followed, within=minutes(15), heartbeat=BEAT, picked_up=PICKED_UP)
