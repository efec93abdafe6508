"""Many experiments looked at together: one list of the server for all of them, whatever their number.

A list lags a moment behind what is. So it is believed about what goes on, which it tells better at the next look, but
never about an end: who is no longer listed as running, or not listed yet, is asked for by itself.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence

from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.client import Client

from howdah.cli import pending
from howdah.cli.answers import Crowd, Watched
from howdah.cli.headlines import described, headline, is_going, listed, newest_of, waits_for
from howdah.cli.legible import pending_steps
from howdah.cli.selection import Selection
from howdah.cli.site_desks import Desks
from howdah.cli.site_state import concerning, local_time
from howdah.models.desk import SiteState
from howdah.models.desk_words import line, needs_a_person
from howdah.models.states import JobState

CHUNK = 100
"""Ids named in one query."""
AT_ONCE = 20
"""Experiments asked for by themselves at the same time."""
MOST = 10_000
CLOSE_LOOKS = 4
"""Experiments whose step is asked how far it is, at each look, in turn."""
MOVES = (JobState.STAGING_IN, JobState.STAGING_OUT)
"""States in which a step tells how far it is."""


class Watcher:
    """Who is meant by `ids` or fits the `selection` is watched from then on, until it has ended."""

    def __init__(self, client: Client, *, ids: Iterable[str] = (), selection: Selection | None = None) -> None:
        self._client = client
        self._selection = selection
        self._rows: dict[str, Watched | None] = dict.fromkeys(ids)
        self._over: set[str] = set()
        self._desks = Desks(client)
        self._told: dict[str, str] = {}
        self._turn = 0

    async def look(self, close: Collection[str] = ()) -> Crowd:
        """As they stand. `close`: those on the screen, of whom a few are asked how far their step is."""
        found = await self._listed()
        for experiment in found:
            self._rows.setdefault(experiment, None)
        doubtful = [one for one in self._open() if one not in found or not is_going(found[one])]
        found |= await self._asked(doubtful)
        for experiment in self._open():
            self._take(experiment, found.get(experiment))
        await self._desks.look({row.site for row in self._going()})
        await self._look_closely(close)
        rows = [self._noted(row) for row in self._rows.values() if row]
        return Crowd(rows=tuple(sorted(rows, key=lambda row: (row.created, row.id))))

    @property
    def is_done(self) -> bool:
        """All have ended, and nobody else can join them."""
        return self._selection is None and not self._open()

    def rests(self, row: Watched) -> bool:
        """It has ended, or nothing more happens until a person does something."""
        return row.id in self._over or self.needs_a_person(row)

    def needs_a_person(self, row: Watched) -> bool:
        if row.id in self._over:
            return False
        blocked = self._blocked(row)
        return row.state is JobState.WAITING or (blocked is not None and needs_a_person(blocked))

    def _open(self) -> list[str]:
        return [one for one in self._rows if one not in self._over]

    def _going(self) -> list[Watched]:
        return [row for one in self._open() if (row := self._rows[one])]

    async def _listed(self) -> dict[str, WorkflowExecutionInfo]:
        if self._selection is None:
            queries = [_named(chunk) for chunk in _chunks(self._open())]
        else:
            queries = [f"{self._selection.query} AND ExecutionStatus = 'Running'"]
            # Of a state, one that has left it is watched on.
            queries += [_named(chunk) for chunk in _chunks(self._open())] if self._selection.state else []
        found = await asyncio.gather(*(_all(self._client, query) for query in queries))
        return newest_of(info for infos in found for info in infos)

    async def _asked(self, experiments: Sequence[str]) -> dict[str, WorkflowExecutionInfo]:
        slots = asyncio.Semaphore(AT_ONCE)

        async def ask(experiment: str) -> WorkflowExecutionInfo | None:
            async with slots:
                return await described(self._client, experiment)

        found = await asyncio.gather(*(ask(one) for one in experiments))
        return {one: info for one, info in zip(experiments, found, strict=True) if info is not None}

    def _take(self, experiment: str, info: WorkflowExecutionInfo | None) -> None:
        """Who is not there any more was deleted, with all that was known of it but what we saw last."""
        before = self._rows[experiment]
        if info is None or not is_going(info):
            self._over.add(experiment)
        if info is None:
            return
        row = Watched(**dict(headline(info)), note=waits_for(info).replace("_", " "))
        if before is not None:  # one that goes on with a fresh history began when it began
            row = row.model_copy(update={"created": before.created})
        self._rows[experiment] = row

    async def _look_closely(self, close: Collection[str]) -> None:
        moving = [row.id for row in self._going() if row.id in close and row.state in MOVES]
        self._told = {one: text for one, text in self._told.items() if one in moving}
        for _ in range(min(CLOSE_LOOKS, len(moving))):
            self._turn += 1
            experiment = moving[self._turn % len(moving)]
            described = await self._client.get_workflow_handle(experiment).describe()
            steps = await pending_steps(self._client, described)
            live = pending.live(self._client, steps)
            self._told[experiment] = pending.trouble(steps) or (live.text or live.doing if live else "")

    def _blocked(self, row: Watched) -> SiteState | None:
        return concerning(self._desks.state(row.site), row.state)

    def _noted(self, row: Watched) -> Watched:
        if row.id in self._over:
            return row.model_copy(update={"note": ""})
        if row.state is JobState.WAITING:
            return row
        blocked = self._blocked(row)
        again = f"again at {local_time(row.next_attempt)}" if row.next_attempt else ""
        note = (line(blocked, local_time) if blocked else "") or again or self._told.get(row.id, "")
        return row.model_copy(update={"note": " ".join(note.split())})


async def _all(client: Client, query: str) -> list[WorkflowExecutionInfo]:
    return [info async for info in listed(client, query, MOST)]


def _chunks(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]


def _named(ids: Sequence[str]) -> str:
    names = ", ".join(f"'{one}'" for one in ids)
    return f"WorkflowId IN ({names})"
