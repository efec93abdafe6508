"""`howdah site pause` and `resume`: what a person says at the desk of a site."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from howdah import names
from howdah.cli.answers import SiteChanged
from howdah.cli.errors import Unserved
from howdah.cli.ids import this_user
from howdah.cli.site_state import condition_of, local_time
from howdah.cli.views import View
from howdah.config import find_site, load_sites
from howdah.errors import HowdahError, UnknownName
from howdah.models.desk import Pause, Resume, SiteState
from howdah.models.desk_words import line, paused, troubles_of
from howdah.workers.connection import connect
from howdah.workers.sharing.desk import begin_desk, read_desk

ANSWERS_WITHIN = 10.0
"""Seconds."""
TRIED_WITHIN = 15.0
"""Seconds for what is out of order to be tried: a worker looks at the desk every few seconds."""
_LOOK_AGAIN = 0.3
AGAIN = 3
"""Tries. A desk may close in the very moment in which it is spoken to; then the next one is."""


async def pause(client: Client, site: str, reason: str) -> SiteChanged:
    """Nobody touches the site any more. Needs no worker, unless the desk has something else to say already.

    Raises: Unserved when no worker for workflows answers for such a desk.
    """
    before = await read_desk(client, site)
    wish = Pause(by=this_user(), since=datetime.now(UTC), reason=reason)
    state = await _say(client, names.PAUSE, wish, SiteState(site=site, pause=wish))
    message = paused(state.pause, local_time) if state.pause else "somebody has just resumed it"
    if before and before.pause and before.pause == state.pause:
        message = f"was {message} already"
    return SiteChanged(site=site, state=condition_of(site, state), message=message)


async def site_to_resume(name: str) -> str:
    """Also one that is not configured (any more): experiments may wait for it. Raises: UnknownName."""
    try:
        return find_site(name, load_sites()).name
    except UnknownName:
        with suppress(HowdahError, RPCError):
            if await read_desk((await connect()).client, name):
                return name
        raise


async def resume(client: Client, site: str, *, keep_pause: bool = False) -> SiteChanged:
    """End a pause, and have everything that is out of order tried now. Raises: Unserved.

    Answers when that has been tried, or when it takes too long.
    """
    before = await read_desk(client, site)
    wish = Resume(by=this_user(), keep_pause=keep_pause)
    state = await _say(client, names.RESUME, wish, SiteState(site=site, resumed=1))
    after = await _tried(client, state)
    return SiteChanged(site=site, state=condition_of(site, after), message=resumed_words(before, state, after))


async def try_again(view: View, site: str) -> None:
    """Tell the workers that it may work now. Without a server, or with nothing to try, there is nobody to tell."""
    try:
        client = (await connect()).client
        state = await read_desk(client, site)
        if state is not None and state.reports:
            view.say(f"site {site}: {(await resume(client, site, keep_pause=True)).message}")
    except (HowdahError, RPCError):
        view.say(f"its workers try it again by themselves, or at once: howdah site resume {site}")


def resumed_words(before: SiteState | None, state: SiteState, after: SiteState | None) -> str:
    """What `resume` did: to the pause there was, and to what was out of order."""
    if state.pause:
        done = "stays paused"
    else:
        done = f"was {paused(before.pause, local_time)}; resumed" if before and before.pause else "was not paused"
    if not state.reports:
        return done
    left = line(after.model_copy(update={"pause": None}), local_time) if after else ""
    if not left:
        return f"{done}; all of it works again"
    tried = after is not None and _tries(after) != _tries(state)
    return f"{done}; tried again: {left}" if tried else f"{done}; it will be tried soon: {left}"


async def _tried(client: Client, said: SiteState) -> SiteState | None:
    """The desk once each thing that was out of order has been tried, or works again."""
    state: SiteState | None = said
    waits = asyncio.get_running_loop().time() + TRIED_WITHIN
    while state and state.reports and _tries(state) == _tries(said) and asyncio.get_running_loop().time() < waits:
        await asyncio.sleep(_LOOK_AGAIN)
        state = await read_desk(client, said.site)
    return state


def _tries(state: SiteState) -> list[tuple[str, int]]:
    return [(trouble.part, trouble.tries) for trouble in troubles_of(state)]


async def _say(client: Client, update: str, wish: Pause | Resume, beginning: SiteState) -> SiteState:
    """Say it at the desk. One that is not there begins with `beginning`, which holds at once, without a worker."""
    for _ in range(AGAIN):
        try:
            await begin_desk(client, beginning)
        except WorkflowAlreadyStartedError:
            with suppress(_Closed):
                return await _said(client, update, wish, beginning.site)
        else:
            return beginning
    raise _silent(beginning.site)


async def _said(client: Client, update: str, wish: Pause | Resume, site: str) -> SiteState:
    handle = client.get_workflow_handle(names.DESK_ID.format(site=site))
    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
            return SiteState.model_validate(await handle.execute_update(update, wish, result_type=SiteState))
    except WorkflowUpdateFailedError as error:  # it closed, or began anew, while it was spoken to
        raise _Closed from error
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise _Closed from error
        raise
    except (WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError) as error:
        raise _silent(site) from error


class _Closed(Exception):
    """The desk has closed meanwhile."""


def _silent(site: str) -> Unserved:
    return Unserved(
        f"The desk of site {site} does not answer: nobody serves the queue {names.WORKFLOW_QUEUE}.",
        hint="start a worker for workflows: howdah up --detach, or: howdah worker start --workflows",
    )
