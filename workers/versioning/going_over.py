"""Desks and slots of sites outlive every build, so they are pinned to none: they go over to the current one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from temporalio.common import VersioningBehavior

from howdah.workflows.site_desk import SiteDesk
from howdah.workflows.site_slots import SiteSlots

GO_OVER = (SiteDesk, SiteSlots)
_DEFINITION = "__temporal_workflow_definition"


@contextmanager
def going_over() -> Iterator[None]:
    """Meanwhile this process serves those that go over by themselves with the mark that says so.

    Not where they are written, and no longer than needed: a server refuses whatever bears the mark from a worker that
    tells no version, and such workers serve them, too, in tests and benchmarks.
    """
    before = [(kind, getattr(kind, _DEFINITION)) for kind in GO_OVER]  # set by the SDK, untyped
    for kind, definition in before:
        setattr(kind, _DEFINITION, replace(definition, versioning_behavior=VersioningBehavior.AUTO_UPGRADE))
    try:
        yield
    finally:
        for kind, definition in before:
            setattr(kind, _DEFINITION, definition)
