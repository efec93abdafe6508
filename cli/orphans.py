"""What sites run under our names, against what experiments know, in both directions.

Jobs begin and end while we look. So what seems odd is looked at again: the experiment after the site, and the site
once more after that, before anything is called an orphan or missing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from howdah.cli.judged import JobRow, JobsListed, MissingJob, Verdict
from howdah.cli.judging import (
    WATCHED,
    Running,
    Standing,
    expected,
    experiment_of,
    is_expected,
    is_foreign,
    judge,
    unmatched,
)
from howdah.cli.site_jobs import Seen, remove, rows_of, seek, told
from howdah.cli.standing import latest_attempts, running_at, standings
from howdah.cli.views import View
from howdah.errors import HowdahError
from howdah.models.answers import BatchRow
from howdah.workers.connection import Connection
from howdah.workers.origin import origin_of

SETTLES = 2.0
"""Seconds between two looks at what is odd: a batch job that has just ended is not gone at once."""
BY_ITSELF = "it will be called lost by itself, once the site has had its time to show it"


async def list_jobs(connection: Connection, sites: Sequence[str]) -> JobsListed:
    """Every batch job of ours at these sites, judged, and the experiments that miss theirs."""
    origin = await origin_of(connection.client)
    running = await running_at(connection, sites)
    seen = await rows_of(connection, sites)
    rows = await _Judgement(connection, origin, running).of(seen)
    here = {id_: one for id_, one in running.items() if one.site in seen.rows}
    missing = await _missing(connection, unmatched(here, rows), seen)
    order = sorted(rows, key=lambda row: (row.site, row.experiment, row.key, row.native_id))
    asked = tuple(site for site in sorted(seen.rows) if site not in seen.unasked)
    return JobsListed(
        jobs=tuple(order), missing=tuple(missing), asked=asked, looked_at=len(order), unasked=seen.unasked
    )


def only_odd(view: View, listed: JobsListed) -> JobsListed:
    """Without what is known, and what is another howdah's business."""
    if foreign := [row for row in listed.jobs if row.verdict is Verdict.FOREIGN]:
        view.say(f"not shown: {len(foreign)} of other howdahs, which are theirs to look after")
    return listed.model_copy(update={"jobs": tuple(row for row in listed.jobs if row.is_odd)})


async def cancel_orphans(view: View, connection: Connection, listed: JobsListed) -> JobsListed:
    """Whatever was found to be an orphan is told to go and seen gone; nothing else is touched."""
    origin = await origin_of(connection.client)
    by_site: defaultdict[str, list[JobRow]] = defaultdict(list)
    for row in listed.jobs:
        if row.verdict is Verdict.ORPHAN:
            by_site[row.site].append(row)
    for site, rows in by_site.items():
        view.say(f"{site}: {len(rows)} to cancel; this answers when they are seen gone")
    plain = {site: [_as_row(row) for row in rows] for site, rows in by_site.items()}
    answers = await asyncio.gather(*(remove(connection, site, origin, rows) for site, rows in plain.items()))
    answer_of = dict(zip(plain, answers, strict=True))

    def after(row: JobRow) -> JobRow:
        if row.verdict is not Verdict.ORPHAN:
            return row
        answer = answer_of[row.site]
        return row.model_copy(update={"gone": row.key in answer.gone, "left": answer.left.get(row.key, "")})

    return listed.model_copy(update={"jobs": tuple(map(after, listed.jobs))})


@dataclass
class _Judgement:
    """`running`: the experiments as they were before the sites were looked at."""

    connection: Connection
    origin: str
    running: Mapping[str, Running]

    async def of(self, seen: Seen) -> list[JobRow]:
        rows = [(site, row) for site, found in seen.rows.items() for row in found]
        plain, odd = self._sorted_out(rows)
        judged = await self._closely(odd)
        settled = [row for row in judged if row.verdict in (Verdict.KNOWN, Verdict.FOREIGN)]
        doubtful = [row for row in judged if row.verdict not in (Verdict.KNOWN, Verdict.FOREIGN)]
        return [*plain, *settled, *(await self._again(doubtful))]

    def _sorted_out(self, rows: Sequence[tuple[str, BatchRow]]) -> tuple[list[JobRow], list[tuple[str, BatchRow]]]:
        """What is clear without asking an experiment, and the rest. Two attempts of one experiment are not clear."""
        of: dict[int, Running] = {}
        keys: defaultdict[str, set[str]] = defaultdict(set)
        for at, (_, row) in enumerate(rows):
            id_ = None if is_foreign(row, self.origin) else experiment_of(row, self.running.values())
            experiment = self.running.get(id_ or "")
            if experiment and is_expected(row, experiment):
                of[at] = experiment
                keys[experiment.id].add(row.key)
        clear = {at: one for at, one in of.items() if len(keys[one.id]) == 1}
        plain = [expected(rows[at][1], rows[at][0], experiment) for at, experiment in clear.items()]
        plain += [judge(row, site, self.origin, None) for site, row in rows if is_foreign(row, self.origin)]
        odd = [pair for at, pair in enumerate(rows) if at not in clear and not is_foreign(pair[1], self.origin)]
        return plain, odd

    async def _closely(self, odd: Sequence[tuple[str, BatchRow]]) -> list[JobRow]:
        ids = [experiment_of(row, self.running.values()) or "" for _, row in odd]
        found = await standings(self.connection, filter(None, ids))
        judged = []
        for (site, row), id_ in zip(odd, ids, strict=True):
            named = row.model_copy(update={"experiment": id_ if id_ in found else row.experiment})
            judged.append(judge(named, site, self.origin, found.get(id_)))
        return judged

    async def _again(self, doubtful: Sequence[JobRow]) -> list[JobRow]:
        """Those that are still there, as experiments and sites are a moment later."""
        if not doubtful:
            return []
        await asyncio.sleep(SETTLES)
        seen = await rows_of(self.connection, sorted({row.site for row in doubtful}))
        wanted = {(row.site, row.key, row.native_id) for row in doubtful}
        still = [
            (site, row) for site, rows in seen.rows.items() for row in rows if (site, row.key, row.native_id) in wanted
        ]
        lost_sight = [row for row in doubtful if row.site in seen.unasked]
        return [*(await self._closely(still)), *lost_sight]


async def _missing(connection: Connection, suspects: Sequence[Running], seen: Seen) -> list[MissingJob]:
    found = await standings(connection, [one.id for one in suspects])
    silent = [one for one in found.values() if not one.is_over and not one.answered]
    keys = {row.key for rows in seen.rows.values() for row in rows}
    waiting = [one for one in found.values() if _believes(one) and one.attempts[-1].key not in keys]
    missed = await _sought(connection, waiting, seen)
    after = await standings(connection, [one.id for one in missed])
    return [
        *(_told(one, _silent_at(one, suspects), "no worker for workflows answers to tell more") for one in silent),
        *(
            _told(now, now.attempts[-1].site, BY_ITSELF)
            for now in after.values()
            if _believes(now) and now.attempts[-1].key in {one.attempts[-1].key for one in missed}
        ),
    ]


async def _sought(connection: Connection, waiting: Sequence[Standing], seen: Seen) -> list[Standing]:
    """Those whose site, asked for just them, knows nothing of their batch jobs either."""
    by_site: defaultdict[str, list[Standing]] = defaultdict(list)
    for one in waiting:
        by_site[one.attempts[-1].site].append(one)
    missed: list[Standing] = []
    for site, some in by_site.items():
        try:
            keys = await seek(connection, site, await latest_attempts(connection, some))
        except HowdahError as error:
            seen.unasked[site] = told(error)
        else:
            missed += [one for one in some if one.attempts[-1].key in keys]
    return missed


def _as_row(row: JobRow) -> BatchRow:
    return BatchRow(**row.model_dump(include=set(BatchRow.model_fields)))


def _believes(standing: Standing) -> bool:
    return standing.answered and standing.state in WATCHED and bool(standing.attempts)


def _silent_at(standing: Standing, suspects: Sequence[Running]) -> str:
    return next(one.site for one in suspects if one.id == standing.id)


def _told(standing: Standing, site: str, why: str) -> MissingJob:
    last = standing.attempts[-1] if standing.attempts else None
    return MissingJob(
        site=site,
        experiment=standing.id,
        state=standing.state,
        key=last.key if last else "",
        native_id=last.native_id if last else None,
        why=why,
    )
