"""Which experiments are meant: by state, site and project, as a query that the server answers quickly."""

from dataclasses import dataclass

from howdah import names
from howdah.errors import UserError
from howdah.models.states import JobState
from howdah.plugins import JobType
from howdah.plugins import names as installed

FINAL = tuple(state for state in JobState if state.is_final)
NOT_GOING_ON = "ExecutionStatus != 'ContinuedAsNew'"
"""An experiment that went on with a fresh history is one, not two."""
CUT_OFF = "ExecutionStatus IN ('Terminated', 'TimedOut', 'Canceled')"
"""Ended from outside, if its state is not a final one: it had no time to clean up."""


@dataclass(frozen=True)
class Selection:
    """What is None is any."""

    state: JobState | None = None
    site: str | None = None
    project: str | None = None

    @property
    def query(self) -> str:
        """Raises: UserError when a name cannot be one."""
        chosen = {names.SITE: self.site, names.PROJECT: self.project}
        parts = [f"{name} = '{quoted(value)}'" for name, value in chosen.items() if value is not None]
        parts += [_standing(self.state)] if self.state is not None else []
        return " AND ".join([experiments_of_types(), NOT_GOING_ON, *parts])


def experiments_of_types() -> str:
    """The part of a query that leaves out what is no experiment."""
    known = ", ".join(f"'{name}'" for name in installed(JobType))
    return f"WorkflowType IN ({known})"


def quoted(value: str) -> str:
    """Raises: UserError when it would end the text that it stands in."""
    if "'" in value or "\\" in value:
        raise UserError(f"{value!r} cannot be a name.", hint="see the names: howdah list")
    return value


def _standing(state: JobState) -> str:
    """In this state as people are shown it, see `howdah.cli.headlines.state_of`."""
    told = f"{names.STATE} = '{state}'"
    if state is JobState.CLEANUP_FAILED:
        finals = ", ".join(f"'{one}'" for one in FINAL)
        return f"({told} OR ({names.STATE} NOT IN ({finals}) AND {CUT_OFF}))"
    return told if state.is_final else f"{told} AND NOT {CUT_OFF}"
