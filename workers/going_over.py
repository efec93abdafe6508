"""Desks and slots of sites outlive every build, so they are pinned to none: they go over to the current one."""

from collections.abc import Sequence
from dataclasses import replace

from temporalio.common import VersioningBehavior

from howdah.workflows.site_desk import SiteDesk
from howdah.workflows.site_slots import SiteSlots

GO_OVER = (SiteDesk, SiteSlots)
_DEFINITION = "__temporal_workflow_definition"


def going_over(workflows: Sequence[type]) -> Sequence[type]:
    """The same, those that go over by themselves marked so for this process.

    Not where they are written: a server refuses the mark from a worker that tells no version, and such workers run
    them, too, in tests and benchmarks.
    """
    for kind in workflows:
        if kind in GO_OVER:
            definition = getattr(kind, _DEFINITION)  # set by the SDK, untyped
            setattr(kind, _DEFINITION, replace(definition, versioning_behavior=VersioningBehavior.AUTO_UPGRADE))
    return workflows
