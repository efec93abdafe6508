"""How many experiments there are, in a line."""

from collections.abc import Mapping

from howdah.cli.answers import Experiments
from howdah.models.states import JobState


def beyond(found: Experiments) -> str:
    """`20 of 10,000; more: --limit N; 2,000 queued, 7,980 succeeded`."""
    return f"{len(found.experiments):,} of {found.total:,}; more: --limit N; {by_state(found.states)}"


def by_state(states: Mapping[JobState, int]) -> str:
    """In the order of a job's life."""
    return ", ".join(f"{states[state]:,} {state.replace('_', ' ')}" for state in JobState if states.get(state))


def in_all(states: Mapping[JobState, int]) -> str:
    """`100 experiments: 99 queued, 1 running`."""
    number = sum(states.values())
    return f"{number:,} experiment{'s' * (number != 1)}: {by_state(states)}"
