"""One look for all jobs of a site: what each monitor hears, and how often the site is asked."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from howdah.activities import evidence, looking, watched, watching
from howdah.activities.circuit import Pace
from howdah.activities.gate import Gate
from howdah.activities.schedulers import Question
from howdah.activities.watching import SiteWatch
from howdah.errors import CredentialsRefused, OutcomeUnknown, Rejected, SiteError, SiteUnreachable
from howdah.models.answers import Check
from howdah.models.batch import BatchStatus, EndRecord, Glance, Sighting, StartRecord, Witness
from howdah.models.causes import FailureCause
from howdah.models.desk import Part
from howdah.models.job import Attempt, BatchJob, Cancelled, Watch
from howdah.models.progress import Live
from howdah.models.sites import Limits
from howdah.models.states import BatchState
from howdah.testing.jobs import attempt_at

Answer = Callable[[list[str], bool], dict[str, Sighting]]
QUICK = Limits.model_validate({"poll": 0.05, "grace": 0.2})


class FakeScheduler:
    """Answers looks with what the test says."""

    def __init__(self) -> None:
        self.looks: list[tuple[list[str], bool]] = []
        self.answer: Answer = lambda keys, closely: {key: running(key) for key in keys}

    def glance(self, *, fresh: float = 0.0) -> Question[Glance] | None:
        return None

    def poll(
        self, attempts: Sequence[Attempt], *, closely: bool = False, fresh: float = 0.0
    ) -> Question[dict[str, Sighting]]:
        keys = [attempt.key for attempt in attempts]

        def read(_: str) -> dict[str, Sighting]:
            self.looks.append((keys, closely))
            return self.answer(keys, closely)

        return Question("", read)

    def script(self, attempt: Attempt) -> str:
        raise AssertionError(attempt)

    def submit(self, attempt: Attempt) -> Question[BatchJob]:
        raise AssertionError(attempt)

    def cancel(self, attempt: Attempt) -> Question[Cancelled | None]:
        raise AssertionError(attempt)

    def check(self) -> Question[tuple[Check, ...]]:
        raise AssertionError


class FakeShell:
    """Reads questions without asking anybody."""

    async def ask(self, question: Question[dict[str, Sighting]]) -> dict[str, Sighting]:
        await asyncio.sleep(0)
        return question.read("")


def running(key: str) -> Sighting:
    return Sighting(key=key, start=StartRecord(native_id="1", started=5), queue=Witness(state=BatchState.RUNNING))


def done(key: str, code: int = 0) -> Sighting:
    state = BatchState.FAILED if code else BatchState.COMPLETED
    return Sighting(key=key, end=EndRecord(exit_code=code, started=5, ended=6), queue=Witness(state=state))


@pytest.fixture
def scheduler() -> FakeScheduler:
    return FakeScheduler()


class FakeGate(Gate):
    """A site that is mended when the test says so."""

    def __init__(self) -> None:
        self.broken: dict[Part, SiteError] = {}
        self.tries = 0
        self._news_of_tries = asyncio.Condition()
        self.pace = Pace(first=0.005, longest=0.01, unwelcome=0.005, very_unwelcome=0.01, settle=0)
        super().__init__("here", self.probe, pace=self.pace, look=0.002)

    async def probe(self, part: Part) -> None:
        self.tries += 1
        async with self._news_of_tries:
            self._news_of_tries.notify_all()
        if part in self.broken:
            raise self.broken[part]

    async def tried(self, times: int) -> None:
        async with self._news_of_tries:
            await self._news_of_tries.wait_for(lambda: self.tries >= times)


@pytest.fixture
async def gate() -> AsyncIterator[FakeGate]:
    gate = FakeGate()
    yield gate
    await gate.close()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> "asyncio.Queue[Live]":
    """What monitors report, in order."""
    found: asyncio.Queue[Live] = asyncio.Queue()
    monkeypatch.setattr(watching, "report", found.put_nowait)
    return found


@pytest.fixture
def site(scheduler: FakeScheduler, gate: FakeGate) -> SiteWatch:
    return SiteWatch(FakeShell(), scheduler, QUICK, gate)  # type: ignore[arg-type]  # a shell that reaches nobody


def watch(known: BatchState = BatchState.QUEUED, *, until_end: bool = False) -> Watch:
    return Watch(attempt=attempt_at("here"), native_id="1", known=known, until_end=until_end)


async def test_a_monitor_answers_when_people_would_see_another_state(site: SiteWatch) -> None:
    assert (await site.change(watch())).state is BatchState.RUNNING


async def test_one_look_serves_all_who_watch(site: SiteWatch, scheduler: FakeScheduler) -> None:
    statuses = await asyncio.gather(*(site.change(watch()) for _ in range(50)))
    assert {status.state for status in statuses} == {BatchState.RUNNING}
    assert len(scheduler.looks) == 1


async def test_nobody_is_asked_when_nobody_watches(site: SiteWatch, scheduler: FakeScheduler) -> None:
    await site.change(watch())
    looking = site._looking
    assert looking is not None
    await looking
    assert len(scheduler.looks) == 1


async def test_a_failure_is_looked_at_closely_before_it_is_told(site: SiteWatch, scheduler: FakeScheduler) -> None:
    scheduler.answer = lambda keys, closely: {key: done(key, code=3) for key in keys}
    status = await site.change(watch(BatchState.RUNNING))
    assert (status.state, status.exit_code) == (BatchState.FAILED, 3)
    assert [closely for _, closely in scheduler.looks] == [False, True]


async def test_a_monitor_that_wants_only_the_end_is_not_told_of_other_changes(
    site: SiteWatch, scheduler: FakeScheduler
) -> None:
    answers = iter([running, running, done])
    scheduler.answer = lambda keys, closely: {key: made(key) for made in [next(answers)] for key in keys}
    assert (await site.change(watch(until_end=True))).state is BatchState.COMPLETED


@pytest.mark.parametrize("trouble", [SiteUnreachable("No route."), OSError("too many open files")])
async def test_trouble_that_passes_asks_nobody(site: SiteWatch, scheduler: FakeScheduler, trouble: Exception) -> None:
    def answer(keys: list[str], closely: bool) -> dict[str, Sighting]:
        if len(scheduler.looks) < 4:
            raise trouble
        return {key: done(key) for key in keys}

    scheduler.answer = answer
    assert (await site.change(watch())).state is BatchState.COMPLETED


async def test_a_refusal_that_lasts_reaches_the_operator(
    site: SiteWatch, scheduler: FakeScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "PATIENCE", 0.2)

    def refuse(keys: list[str], closely: bool) -> dict[str, Sighting]:
        raise Rejected("Permission denied.")

    scheduler.answer = refuse
    with pytest.raises(Rejected):
        await site.change(watch())
    assert len(scheduler.looks) > 1


async def test_a_job_that_cannot_be_looked_at_closely_does_not_silence_the_others(
    site: SiteWatch, scheduler: FakeScheduler
) -> None:
    odd, sound = watch(BatchState.RUNNING), watch()

    def answer(keys: list[str], closely: bool) -> dict[str, Sighting]:
        if closely:
            raise SiteError("The accounting hangs.")
        return {key: done(key, code=3) if key == odd.attempt.key else running(key) for key in keys}

    scheduler.answer = answer
    waiting = asyncio.create_task(site.change(odd))
    assert (await site.change(sound)).state is BatchState.RUNNING
    assert not waiting.done()
    waiting.cancel()


async def test_an_end_that_was_seen_is_told_at_last_though_the_accounting_cannot_be_asked(
    site: SiteWatch, scheduler: FakeScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "PATIENCE", 0.05)

    def answer(keys: list[str], closely: bool) -> dict[str, Sighting]:
        if closely:
            raise OutcomeUnknown("A command at the site did not end within 120 s.")
        return {key: done(key, code=3) for key in keys}

    scheduler.answer = answer
    status = await site.change(watch(BatchState.RUNNING))
    assert (status.state, status.exit_code) == (BatchState.FAILED, 3)


async def test_a_close_look_that_is_refused_for_long_reaches_the_operator_though_looks_from_afar_succeed(
    site: SiteWatch, scheduler: FakeScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "PATIENCE", 0.05)

    def answer(keys: list[str], closely: bool) -> dict[str, Sighting]:
        if closely:
            raise Rejected("You may not ask the accounting.")
        return {}

    scheduler.answer = answer
    with pytest.raises(Rejected):
        await site.change(watch())


async def test_one_job_that_we_fail_to_judge_neither_silences_the_others_nor_ends_the_looks(
    site: SiteWatch, scheduler: FakeScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison, sound = watch(), watch()
    monkeypatch.setattr(watched, "PATIENCE", 0.05)

    def decide(sighting: Sighting, **how: Any) -> BatchStatus:
        if sighting.key == poison.attempt.key:
            raise ValueError("a bug")
        return evidence.decide(sighting, **how)

    monkeypatch.setattr(looking, "decide", decide)
    failing = asyncio.create_task(site.change(poison))
    assert (await site.change(sound)).state is BatchState.RUNNING
    with pytest.raises(SiteError, match="ValueError: a bug"):
        await failing


async def test_ends_that_were_told_are_not_kept(site: SiteWatch, scheduler: FakeScheduler) -> None:
    scheduler.answer = lambda keys, closely: {
        key: Sighting(key=key, queue=Witness(state=BatchState.COMPLETED, native_id="1", word="COMPLETED"))
        for key in keys
    }
    monitors = [asyncio.create_task(site.change(watch(until_end=True))) for _ in range(30)]
    assert {status.state for status in await asyncio.gather(*monitors)} == {BatchState.COMPLETED}
    assert len(site.looks.ends) == 0


async def test_a_job_that_nobody_knows_is_lost_after_the_grace(site: SiteWatch, scheduler: FakeScheduler) -> None:
    scheduler.answer = lambda keys, closely: {}
    assert (await site.change(watch())).state is BatchState.LOST


async def test_two_hundred_monitors_wait_out_an_outage_and_one_look_catches_up(
    site: SiteWatch, scheduler: FakeScheduler, gate: FakeGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "PATIENCE", 0.0)
    refused = CredentialsRefused("Permission denied.", hint="renew your key")

    def refuse(keys: list[str], closely: bool) -> dict[str, Sighting]:
        raise refused

    scheduler.answer = refuse
    gate.broken[Part.LOGIN] = refused
    monitors = [asyncio.create_task(site.change(watch(until_end=True))) for _ in range(200)]
    await gate.changed()
    scheduler.answer = lambda keys, closely: {key: done(key) for key in keys}
    before = len(scheduler.looks)
    await gate.tried(5)
    assert len(scheduler.looks) == before, "nobody looks at a site that is out of order"
    assert not any(monitor.done() for monitor in monitors)
    gate.broken.clear()
    statuses = await asyncio.gather(*monitors)
    assert {status.state for status in statuses} == {BatchState.COMPLETED}
    assert len(scheduler.looks) == before + 1


async def test_a_monitor_tells_what_its_site_waits_for_and_what_a_person_has_to_do(
    site: SiteWatch, gate: FakeGate, told: "asyncio.Queue[Live]"
) -> None:
    gate.broken[Part.LOGIN] = CredentialsRefused("Permission denied.", hint="renew your key; then: howdah retry {id}")
    gate.failed(gate.broken[Part.LOGIN])
    first = asyncio.create_task(site.change(watch()))
    live = await told.get()
    assert (live.reason, live.needs) == ("Permission denied.", "renew your key")
    later = asyncio.create_task(site.change(watch()))
    assert (await told.get()).reason == "Permission denied."
    gate.broken.clear()
    assert [(await monitor).state for monitor in (first, later)] == [BatchState.RUNNING] * 2


async def test_a_site_is_not_tried_for_monitors_that_have_gone(site: SiteWatch, gate: FakeGate) -> None:
    gate.broken[Part.LOGIN] = SiteUnreachable("away", part=Part.LOGIN)
    gate.failed(gate.broken[Part.LOGIN])
    monitor = asyncio.create_task(site.change(watch()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    looking = site._looking
    assert looking is not None
    monitor.cancel()
    await asyncio.wait([monitor, looking])
    assert gate._waiting == 0
    gate.broken.clear()
    assert (await site.change(watch())).state is BatchState.RUNNING, "and the next one is served"


async def test_end_files_are_read_while_the_scheduler_gives_no_answer(
    site: SiteWatch, scheduler: FakeScheduler, gate: FakeGate, told: "asyncio.Queue[Live]"
) -> None:
    over, still = watch(BatchState.RUNNING), watch(BatchState.RUNNING)
    gate.broken[Part.SCHEDULER] = SiteUnreachable("no answer", part=Part.SCHEDULER)

    def deaf(keys: list[str], closely: bool) -> dict[str, Sighting]:
        ended = done(over.attempt.key).model_copy(update={"queue": None, "deaf": "Unable to contact"})
        unknown = Sighting(key=still.attempt.key, deaf="Unable to contact")
        return {key: {over.attempt.key: ended, still.attempt.key: unknown}[key] for key in keys}

    scheduler.answer = deaf
    waiting = asyncio.create_task(site.change(still))
    assert (await site.change(over)).state is BatchState.COMPLETED
    assert [trouble.part for trouble in gate.troubles] == [Part.SCHEDULER]
    assert (await told.get()).reason in {"Unable to contact", "no answer"}
    assert not any(closely for _, closely in scheduler.looks), "that nothing is known is explained"
    assert not waiting.done()
    scheduler.answer = lambda keys, closely: {key: done(key) for key in keys}
    assert (await waiting).state is BatchState.COMPLETED
    assert gate.troubles == (), "a scheduler that answers is in order"


async def test_a_monitor_tells_the_reason_in_plain_words_too(
    site: SiteWatch, scheduler: FakeScheduler, told: "asyncio.Queue[Live]", monkeypatch: pytest.MonkeyPatch
) -> None:
    never = BatchStatus(
        state=BatchState.QUEUED, reason="PartitionTimeLimit", meaning="it wants more", never_starts=True
    )
    monkeypatch.setattr(looking, "decide", lambda *_, **__: never)
    monitor = asyncio.create_task(site.change(watch()))
    assert (await told.get()).reason == "PartitionTimeLimit: it wants more; it will never start as asked"
    monitor.cancel()


async def test_whoever_waits_for_a_slot_hears_that_a_job_has_ended(scheduler: FakeScheduler, gate: FakeGate) -> None:
    freed = asyncio.Event()
    site = SiteWatch(FakeShell(), scheduler, QUICK, gate, ended=lambda _: freed.set())  # type: ignore[arg-type]  # as above
    scheduler.answer = lambda keys, closely: {key: running(key) for key in keys}
    await site.change(watch())
    assert not freed.is_set()
    scheduler.answer = lambda keys, closely: {key: done(key) for key in keys}
    await site.change(watch())
    await freed.wait()


async def test_how_a_job_ended_is_told_though_the_scheduler_forgets_it_before_the_next_look(
    site: SiteWatch, scheduler: FakeScheduler
) -> None:
    bare = Witness(state=BatchState.FAILED, native_id="1", word="FAILED")

    def forgetful(keys: list[str], closely: bool) -> dict[str, Sighting]:
        if len(scheduler.looks) > 2:
            return {key: Sighting(key=key, looked_closely=closely) for key in keys}
        queue = bare.model_copy(update={"exit_code": 214}) if closely else bare
        return {key: Sighting(key=key, queue=queue, looked_closely=closely) for key in keys}

    scheduler.answer = forgetful
    status = await site.change(watch(until_end=True))
    assert (status.state, status.cause) == (BatchState.FAILED, FailureCause.CONFIGURATION)
    assert [closely for _, closely in scheduler.looks[:3]] == [False, True, False], "explained at once, and once"


async def test_a_program_that_was_told_to_go_and_ended_well_is_looked_at_closely(
    site: SiteWatch, scheduler: FakeScheduler
) -> None:
    end = EndRecord(exit_code=0, signals=("TERM",), started=5, ended=6)
    words = Witness(state=BatchState.FAILED, word="DUE TO TIME LIMIT", cause=FailureCause.WALLTIME)
    scheduler.answer = lambda keys, closely: {
        key: Sighting(key=key, end=end, words=words if closely else None, looked_closely=closely) for key in keys
    }
    assert (await site.change(watch(until_end=True))).cause is FailureCause.WALLTIME


class Crowd(FakeScheduler):
    """A scheduler whose queue one glance shows. `polled` holds how old rows might be, by question."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []
        self.polled: list[tuple[list[str], float]] = []
        self.show: Callable[[], Glance] = lambda: Glance({})

    def glance(self, *, fresh: float = 0.0) -> Question[Glance]:
        def read(_: str) -> Glance:
            self.seen.append(fresh)
            return self.show()

        return Question("", read)

    def poll(
        self, attempts: Sequence[Attempt], *, closely: bool = False, fresh: float = 0.0
    ) -> Question[dict[str, Sighting]]:
        self.polled.append(([attempt.key for attempt in attempts], fresh))
        return super().poll(attempts, closely=closely)


@pytest.fixture
def crowd() -> Crowd:
    return Crowd()


@pytest.fixture
def many(crowd: Crowd, gate: FakeGate) -> SiteWatch:
    return SiteWatch(FakeShell(), crowd, QUICK, gate)  # type: ignore[arg-type]  # a shell that reaches nobody


ROW = Witness(state=BatchState.RUNNING, native_id="1", word="RUNNING")


async def looks_made(crowd: Crowd, number: int) -> None:
    async with asyncio.timeout(10):
        while len(crowd.seen) < number:  # noqa: ASYNC110  # looks are made by a loop that tells nobody
            await asyncio.sleep(0.01)


async def test_jobs_that_the_queue_shows_are_not_looked_at_one_by_one(
    many: SiteWatch, crowd: Crowd, told: "asyncio.Queue[Live]"
) -> None:
    watches = [watch(BatchState.RUNNING) for _ in range(50)]
    crowd.show = lambda: Glance({one.attempt.key: ROW for one in watches})
    monitors = [asyncio.create_task(many.change(one)) for one in watches]
    await looks_made(crowd, 4)
    assert crowd.polled == []
    assert told.qsize() == 50, "each is told once what it sees"
    assert many.crowd == 50
    for monitor in monitors:
        monitor.cancel()


async def test_a_job_that_runs_is_told_with_what_it_left_in_its_folder(many: SiteWatch, crowd: Crowd) -> None:
    starting = watch(BatchState.QUEUED)
    crowd.show = lambda: Glance({starting.attempt.key: ROW})
    status = await many.change(starting)
    assert (status.state, status.started, status.crowd) == (BatchState.RUNNING, 5, 1)
    assert crowd.polled[0][1] > 0, "the rows that the glance was given will do"


async def test_an_end_on_the_board_is_read_though_the_queue_still_shows_the_job(many: SiteWatch, crowd: Crowd) -> None:
    over = watch(BatchState.RUNNING)
    crowd.show = lambda: Glance({over.attempt.key: ROW}, frozenset({over.attempt.key}))
    crowd.answer = lambda keys, closely: {key: done(key).model_copy(update={"queue": ROW}) for key in keys}
    assert (await many.change(over)).state is BatchState.COMPLETED


async def test_who_comes_back_from_telling_a_change_makes_no_look_of_his_own(many: SiteWatch, crowd: Crowd) -> None:
    attempt = watch(BatchState.QUEUED)
    crowd.show = lambda: Glance({attempt.attempt.key: ROW})
    await many.change(attempt)
    many._wake.clear()
    back = asyncio.create_task(many.change(attempt.model_copy(update={"known": BatchState.RUNNING})))
    await asyncio.sleep(0)
    assert not many._wake.is_set()
    crowd.show = lambda: Glance({}, frozenset({attempt.attempt.key}))
    crowd.answer = lambda keys, closely: {key: done(key) for key in keys}
    assert (await back).state is BatchState.COMPLETED


async def test_an_end_that_was_rung_while_its_monitor_told_a_change_is_looked_for_when_that_is_back(
    many: SiteWatch, crowd: Crowd
) -> None:
    brief = watch(BatchState.QUEUED)
    crowd.show = lambda: Glance({brief.attempt.key: ROW})
    await many.change(brief)
    many._wake.clear()
    many._rang(brief.attempt.key)
    back = asyncio.create_task(many.change(brief.model_copy(update={"known": BatchState.RUNNING})))
    await asyncio.sleep(0)
    assert many._wake.is_set()
    crowd.show = lambda: Glance({}, frozenset({brief.attempt.key}))
    crowd.answer = lambda keys, closely: {key: done(key) for key in keys}
    assert (await back).state is BatchState.COMPLETED


async def test_a_deaf_scheduler_hides_no_end_that_is_on_the_board(
    many: SiteWatch, crowd: Crowd, gate: FakeGate, told: "asyncio.Queue[Live]"
) -> None:
    gate.broken[Part.SCHEDULER] = SiteUnreachable("no answer", part=Part.SCHEDULER)
    over, still = watch(BatchState.RUNNING), watch(BatchState.RUNNING)
    crowd.show = lambda: Glance({}, frozenset({over.attempt.key}), deaf="Unable to contact")
    crowd.answer = lambda keys, closely: {
        key: (done(key) if key == over.attempt.key else Sighting(key=key)).model_copy(
            update={"queue": None, "deaf": "Unable to contact"}
        )
        for key in keys
    }
    waiting = asyncio.create_task(many.change(still))
    assert (await many.change(over)).state is BatchState.COMPLETED
    assert [trouble.part for trouble in gate.troubles] == [Part.SCHEDULER]
    assert not waiting.done()
    crowd.show = lambda: Glance({still.attempt.key: ROW.model_copy(update={"state": BatchState.QUEUED})})
    gate.broken.clear()
    crowd.answer = lambda keys, closely: {key: Sighting(key=key, queue=crowd.show().queue[key]) for key in keys}
    assert (await waiting).state is BatchState.QUEUED


async def test_an_end_that_was_rung_is_told_without_asking_the_scheduler(many: SiteWatch, crowd: Crowd) -> None:
    over, other = watch(BatchState.RUNNING), watch(BatchState.RUNNING)
    crowd.show = lambda: Glance({one.attempt.key: ROW for one in (over, other)})
    monitors = [asyncio.create_task(many.change(one)) for one in (over, other)]
    await looks_made(crowd, 2)
    crowd.answer = lambda keys, closely: {key: done(key).model_copy(update={"queue": ROW}) for key in keys}
    for key in (over.attempt.key, "hd-of-somebody-else"):
        many._rang(key)
    assert (await monitors[0]).state is BatchState.COMPLETED
    (asked,) = crowd.polled
    assert asked[0] == [over.attempt.key]
    assert asked[1] > 60, "rows of any age"
    monitors[1].cancel()


async def test_a_bad_end_that_was_rung_waits_for_the_schedulers_word_on_it(many: SiteWatch, crowd: Crowd) -> None:
    bad = watch(BatchState.RUNNING)
    stale = {bad.attempt.key: ROW}
    crowd.show = lambda: Glance(stale)
    monitor = asyncio.create_task(many.change(bad))
    await looks_made(crowd, 2)
    said = Witness(state=BatchState.FAILED, word="OUT_OF_MEMORY", cause=FailureCause.OUT_OF_MEMORY)
    before = len(crowd.seen)

    def answer(keys: list[str], closely: bool) -> dict[str, Sighting]:
        queue = said if len(crowd.seen) > before else ROW
        return {key: done(key, code=137).model_copy(update={"queue": queue}) for key in keys}

    crowd.answer = answer
    many._rang(bad.attempt.key)
    assert (await monitor).cause is FailureCause.OUT_OF_MEMORY
