"""One look for all jobs of a site: what each monitor hears, and how often the site is asked."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from howdah.activities import watching
from howdah.activities.schedulers import Question
from howdah.activities.watching import SiteWatch
from howdah.errors import CredentialsRefused, SiteError, SiteUnreachable
from howdah.models.answers import Check
from howdah.models.batch import EndRecord, Sighting, StartRecord, Witness
from howdah.models.job import Attempt, BatchJob, Cancelled, Watch
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

    def poll(self, attempts: Sequence[Attempt], *, closely: bool = False) -> Question[dict[str, Sighting]]:
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


@pytest.fixture
def site(scheduler: FakeScheduler) -> SiteWatch:
    return SiteWatch(FakeShell(), scheduler, QUICK)  # type: ignore[arg-type]  # a shell that reaches nobody


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
    monkeypatch.setattr(watching, "PATIENCE", 0.2)

    def refuse(keys: list[str], closely: bool) -> dict[str, Sighting]:
        raise CredentialsRefused("Permission denied.")

    scheduler.answer = refuse
    with pytest.raises(CredentialsRefused):
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


async def test_a_job_that_nobody_knows_is_lost_after_the_grace(site: SiteWatch, scheduler: FakeScheduler) -> None:
    scheduler.answer = lambda keys, closely: {}
    assert (await site.change(watch())).state is BatchState.LOST
