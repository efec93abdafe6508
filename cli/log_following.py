"""Following what a job prints: from before it begins, over cuts and new attempts, until nothing more can come."""

import asyncio

from howdah.cli.errors import CommandFailed, ExitCode, Unserved
from howdah.cli.log_reading import Reading, Wanted
from howdah.cli.log_standing import Standing
from howdah.cli.logs import read_by_now
from howdah.cli.logs_at_home import rest_at_home
from howdah.cli.questions import ask
from howdah.cli.views import View
from howdah.errors import SiteUnreachable
from howdah.models.logs import LogsRead
from howdah.models.progress import AttemptRecord, Progress
from howdah.models.states import JobState
from howdah.steps import questions
from howdah.workers.connection import Connection

PATIENCE = 20.0
"""Seconds that a worker keeps a question waiting for news. Then it is seen how the experiment stands."""
PAUSE = 1.0
"""Seconds between two looks at an experiment that has nothing to read now. A look costs the server a millisecond."""
LOOK_AGAIN = 5
"""Every so many of them the site is asked whether what had ended has begun again, as a requeued batch job does."""
TAKEN_IN = 3
"""So many of them pass before people are told why this has not ended: as a rule an end is noticed sooner."""
TOLERATED = 5
"""Answers in a row that may be lost for reasons unknown, as when a worker is killed."""


async def follow_logs(view: View, connection: Connection, experiment: str, wanted: Wanted) -> ExitCode:
    """Show what comes until the program has ended well, or the experiment has ended or waits for a person."""
    standing = Standing(connection, experiment)
    if (await standing.now()).state.is_final:
        for part in (await read_by_now(view, connection, experiment, wanted)).parts:
            view.log(part)
        return ExitCode.DONE
    return await _Following(view, connection, standing, wanted).to_the_end()


class _Following:
    def __init__(self, view: View, connection: Connection, standing: Standing, wanted: Wanted) -> None:
        self._view, self._connection, self._standing, self._wanted = view, connection, standing, wanted
        self._has_shown = False
        self._said = ""
        self._lost = 0
        self._ended_well = False

    async def to_the_end(self) -> ExitCode:
        progress = await self._standing.now()
        wanted = self._wanted
        followed = 0
        while True:
            attempt = _next(progress, followed)
            if attempt is not None:
                if followed:
                    self._view.say(f"attempt {attempt.number} begins")
                followed = attempt.number
                await self._follow(Reading(attempt, wanted))
                wanted = Wanted(wanted.streams)
            elif self._ended_well or _is_done(progress):
                return self._end(progress)
            else:
                self._say(_waits_for(progress, followed))
                await asyncio.sleep(PAUSE)
            progress = await self._standing.now()

    async def _follow(self, reading: Reading) -> None:
        """One attempt, until all of it was shown and it is known what becomes of the experiment."""
        patience = 0.0
        while True:
            answer = await self._ask(reading, patience)
            patience = PATIENCE
            self._show(reading, answer)
            if answer.is_all:
                if answer.ended_well:
                    self._ended_well = True
                    return
                if await self._is_over(reading, was_gone=answer.gone):
                    return
            elif not answer.news:
                progress = await self._standing.now()
                if _is_over_for(reading.attempt, progress):
                    await self._show_the_rest(reading, progress)
                    return
                if not self._has_shown and not answer.in_the_way:
                    self._say(f"it has printed nothing yet; it is {progress.state}")

    async def _is_over(self, reading: Reading, *, was_gone: bool) -> bool:
        """Its program has ended, as far as its folder tells: wait for what the experiment makes of that. False when it
        was begun again after all."""
        looks = 0
        while True:
            progress = await self._standing.now()
            if _is_over_for(reading.attempt, progress):
                if was_gone:
                    await self._show_home(reading, progress)
                return True
            looks += 1
            if looks > TAKEN_IN:
                self._say(f"attempt {reading.attempt.number} has printed all it had to; it is {progress.state}")
            await asyncio.sleep(PAUSE)
            if looks % LOOK_AGAIN == 0:
                answer = await self._ask(reading, 0.0)
                self._show(reading, answer)
                if not (answer.gone or answer.ended or answer.in_the_way):
                    return False
                was_gone |= answer.gone

    async def _show_the_rest(self, reading: Reading, progress: Progress) -> None:
        """Of an attempt that left no record of its end, as one that was killed."""
        answer = await self._ask(reading, 0.0)
        self._show(reading, answer)
        while answer.news:
            answer = await self._ask(reading, 0.0)
            self._show(reading, answer)
        if answer.gone or answer.in_the_way:
            await self._show_home(reading, progress)

    async def _show_home(self, reading: Reading, progress: Progress) -> None:
        if progress.state.is_final and _is_latest(reading.attempt, progress):
            for part in await rest_at_home(progress, reading):
                self._view.log(part)
        self._has_shown |= reading.has_shown

    async def _ask(self, reading: Reading, patience: float) -> LogsRead:
        """What has become of an answer that is lost does not matter: the same is asked again, from the same place."""
        site = reading.attempt.site
        try:
            answer = await ask(
                self._connection.client, questions.read_logs, reading.question(patience=patience), site=site
            )
        except (SiteUnreachable, Unserved, CommandFailed) as error:
            self._lost += isinstance(error, CommandFailed)
            if self._lost > TOLERATED:
                raise
            await asyncio.sleep(PAUSE)
            hint = f" (hint: {error.hint})" if error.hint else ""
            return LogsRead(in_the_way=f"{error.message.rstrip('.')}{hint}")
        self._lost = 0
        return answer

    def _show(self, reading: Reading, answer: LogsRead) -> None:
        if answer.in_the_way != reading.knows:
            self._view.say(f"{answer.in_the_way}; this goes on by itself" if answer.in_the_way else "it goes on")
        reading.knows = answer.in_the_way
        for part in reading.parts(answer):
            self._view.log(part)
        self._has_shown |= reading.has_shown

    def _say(self, words: str) -> None:
        if words != self._said:
            self._said = words
            self._view.say(words)

    def _end(self, progress: Progress) -> ExitCode:
        if not self._has_shown:
            self._view.say("it printed nothing, or nothing of it is left")
        if progress.waiting:
            hint = progress.filled(progress.waiting.hint)
            self._view.say(f"it waits for you; hint: {hint}, or give up: howdah abort {progress.id}")
            return ExitCode.WAITS
        if progress.state.is_final and progress.state is not JobState.SUCCEEDED:
            self._view.say(f"it ended as {progress.state}; see: howdah show {progress.id}")
        return ExitCode.DONE


def _is_latest(attempt: AttemptRecord, progress: Progress) -> bool:
    return progress.attempt is None or progress.attempt.number == attempt.number


def _is_done(progress: Progress) -> bool:
    """Nothing is printed any more unless somebody does something."""
    ended_well = progress.attempt is not None and progress.attempt.completed
    return progress.state.is_final or progress.state is JobState.WAITING or ended_well


def _is_over_for(attempt: AttemptRecord, progress: Progress) -> bool:
    return _is_done(progress) or not _is_latest(attempt, progress)


def _next(progress: Progress, followed: int) -> AttemptRecord | None:
    """The attempt to follow: the latest at first, then each in its turn."""
    latest = progress.attempt
    later = [one for one in progress.attempts if one.number > followed and (one.folder or one is latest)]
    if not later:
        return None
    attempt = later[0] if followed else later[-1]
    return attempt if attempt.folder else None


def _waits_for(progress: Progress, followed: int) -> str:
    if not followed:
        return f"it has not begun at its site yet; it is {progress.state}"
    return f"attempt {followed} is over; it is {progress.state}"
