"""`howdah cancel`: asked for at once, and waited for until the batch jobs are seen gone."""

import asyncio
from collections.abc import Sequence

from howdah import names
from howdah.cli.answers import Outcome, Outcomes
from howdah.cli.experiments import cancel
from howdah.cli.following import follow
from howdah.cli.headlines import state_of
from howdah.cli.looking import is_over
from howdah.cli.views import View
from howdah.models.progress import Progress
from howdah.models.states import JobState
from howdah.workers.connection import Connection


async def cancel_all(
    view: View, connection: Connection, experiments: Sequence[str], *, reason: str, wait: bool
) -> Outcomes:
    """One outcome per experiment, in their order. All are asked before any is waited for."""
    ended = [await _ended_as(connection, experiment) for experiment in experiments]
    pairs = list(zip(experiments, ended, strict=True))
    for experiment, state in pairs:
        if state is None:
            await cancel(connection, experiment, reason)
    try:
        return Outcomes(
            tuple(
                await asyncio.gather(
                    *(_outcome_of(view, connection, experiment, state, wait=wait) for experiment, state in pairs)
                )
            )
        )
    except asyncio.CancelledError:
        view.say(f"the cancellation goes on; see: howdah show {experiments[0]}")
        raise


async def _ended_as(connection: Connection, experiment: str) -> JobState | None:
    """How it ended, or None while it goes on. Needs no worker."""
    description = await connection.client.get_workflow_handle(experiment).describe()
    if not is_over(description):
        return None
    told = {pair.key.name: str(pair.value) for pair in description.typed_search_attributes}
    return state_of(told.get(names.STATE), description.status)


async def _outcome_of(
    view: View, connection: Connection, experiment: str, ended: JobState | None, *, wait: bool
) -> Outcome:
    if ended is not None:
        return Outcome(id=experiment, state=ended, message="had ended already")
    if not wait:
        return Outcome(id=experiment, state=JobState.CANCELLING)
    return await _gone(view, connection, experiment)


async def _gone(view: View, connection: Connection, experiment: str) -> Outcome:
    outcome = Outcome(id=experiment, state=JobState.CANCELLING)
    said = ""
    async for overview in follow(connection, experiment):
        outcome = _outcome(overview.progress)
        doing = overview.trouble or (overview.live.reason if overview.live else "") or str(outcome.state)
        if doing != said and not outcome.state.is_final:
            view.say(f"{experiment}: {doing}")
            said = doing
    return outcome


def _outcome(progress: Progress) -> Outcome:
    message = progress.failure.message if progress.failure else ""
    if progress.state is JobState.CANCELLED:
        message = "its batch job is gone" if progress.attempt else ""
    return Outcome(id=progress.id, state=progress.state, message=message)
