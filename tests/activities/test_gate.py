"""What everybody passes on the way to a site: who waits, who tries, who is told, and that all go on by themselves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest

from howdah.activities.chairs import Chairs
from howdah.activities.circuit import Pace
from howdah.activities.gate import Gate
from howdah.errors import CredentialsRefused, DataError, HostKeyRefused, OutcomeUnknown, SiteError, SiteUnreachable
from howdah.models.causes import FailureCause
from howdah.models.desk import Part, Pause, SiteState
from howdah.models.progress import Live

LOGIN, SCHEDULER, SCRATCH = Part.LOGIN, Part.SCHEDULER, Part.SCRATCH
SWIFT = Pace(first=0.005, longest=0.02, unwelcome=0.005, very_unwelcome=0.02, settle=0.0)
NEVER = Pace(first=3600, longest=3600, unwelcome=3600, very_unwelcome=3600, settle=0.0)
"""Whoever tries under this pace has another reason than time."""
PAUSE = Pause(by="ann", since=datetime(2026, 1, 1, tzinfo=UTC), reason="maintenance")


class Site:
    """Answers probes with what the test says; `tries` holds them in order."""

    def __init__(self) -> None:
        self.broken: dict[Part, Exception] = {}
        self.tries: list[Part] = []
        self.at_once = 0
        self.most_at_once = 0
        self.is_mended = False
        self.begun = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()
        self._tried = asyncio.Condition()

    async def probe(self, part: Part) -> None:
        self.tries.append(part)
        self.begun.set()
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        await self.answers.wait()
        self.at_once -= 1
        async with self._tried:
            self._tried.notify_all()
        if part in self.broken:
            raise self.broken[part]

    async def mended(self) -> bool:
        return self.is_mended

    async def tried(self, times: int) -> None:
        async with self._tried:
            await self._tried.wait_for(lambda: len(self.tries) >= times)


@pytest.fixture
def site() -> Site:
    return Site()


Build = Callable[..., Gate]


@pytest.fixture
async def build(site: Site) -> AsyncIterator[Build]:
    gates = []

    def make(pace: Pace = SWIFT, **other: float) -> Gate:
        gates.append(Gate("cluster", site.probe, mended=site.mended, pace=pace, **{"look": 0.002, **other}))
        return gates[-1]

    yield make
    for gate in gates:
        await gate.close()


@pytest.fixture
def gate(build: Build) -> Gate:
    return build()


def away(part: Part = LOGIN) -> SiteError:
    return SiteUnreachable("No route to host.", part=part)


def shut(gate: Gate, site: Site, error: SiteError) -> None:
    assert error.part is not None
    site.broken[error.part] = error
    gate.failed(error)


async def waiting(gate: Gate, *parts: Part, **how: object) -> "tuple[asyncio.Task[None], list[Live]]":
    """A step that waits at the gate, and what it was told; told once by now."""
    told: list[Live] = []
    waits = asyncio.Event()

    def tell(live: Live) -> None:
        told.append(live)
        waits.set()

    step = asyncio.create_task(gate.passing(*parts, tell=tell, **how))  # type: ignore[arg-type]  # a seat
    await waits.wait()
    return step, told


async def test_a_site_in_order_keeps_nobody(gate: Gate, site: Site) -> None:
    await gate.passing(LOGIN, SCHEDULER, SCRATCH)
    gate.check()
    assert site.tries == []
    assert gate.troubles == ()


async def test_two_hundred_wait_while_one_tries_and_all_go_on_when_it_is_mended(gate: Gate, site: Site) -> None:
    shut(gate, site, away())
    steps = [asyncio.create_task(gate.passing(LOGIN)) for _ in range(200)]
    await site.tried(5)
    assert not any(step.done() for step in steps)
    del site.broken[LOGIN]
    await asyncio.gather(*steps)
    assert site.most_at_once == 1
    assert gate.troubles == ()


async def test_who_does_not_need_what_is_out_of_order_passes(gate: Gate, site: Site) -> None:
    shut(gate, site, away(SCRATCH))
    await gate.passing(LOGIN, SCHEDULER)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(gate.passing(LOGIN, SCRATCH), 0.01)


async def test_who_waits_is_told_why_since_when_and_what_a_person_has_to_do(gate: Gate, site: Site) -> None:
    shut(
        gate,
        site,
        HostKeyRefused("The host key has changed.", hint="howdah site trust {site}; then: howdah retry {id}"),
    )
    step, told = await waiting(gate, LOGIN)
    assert told[0].doing == "waits for the way to cluster"
    assert told[0].reason == "The host key has changed."
    assert told[0].since == gate.troubles[0].since
    assert told[0].needs == "howdah site trust cluster"
    site.broken[LOGIN] = away()
    while told[-1].reason != "No route to host.":
        await site.tried(len(site.tries) + 1)
    assert told[-1].needs == "", "what passes by itself needs nobody"
    site.broken.clear()
    await step
    assert (told[-1].doing, told[-1].reason) == ("goes on", "")


async def test_commands_and_questions_from_outside_never_wait(gate: Gate, site: Site) -> None:
    shut(gate, site, CredentialsRefused("Permission denied.", says="publickey", hint="renew"))
    with pytest.raises(CredentialsRefused, match="Permission denied") as caught:
        gate.check()
    assert (caught.value.says, caught.value.hint, caught.value.part) == ("publickey", "renew", LOGIN)


async def test_the_scheduler_is_not_tried_while_there_is_no_way_to_it(gate: Gate, site: Site) -> None:
    shut(gate, site, away(SCHEDULER))
    shut(gate, site, away(LOGIN))
    await site.tried(4)
    assert set(site.tries) == {LOGIN}
    site.broken.clear()
    await gate.passing(LOGIN, SCHEDULER)
    assert site.tries[-1] is SCHEDULER


async def test_a_way_that_is_lost_while_the_scheduler_is_tried_is_not_the_schedulers_fault(
    gate: Gate, site: Site
) -> None:
    site.broken[LOGIN] = site.broken[SCHEDULER] = away(LOGIN)
    gate.failed(away(SCHEDULER))
    await site.tried(3)
    assert {trouble.part: trouble.tries for trouble in gate.troubles}[SCHEDULER] == 1
    assert site.tries.count(SCHEDULER) == 1


async def test_what_somebody_mended_is_tried_at_once(build: Build, site: Site) -> None:
    gate = build(NEVER)
    gate.failed(CredentialsRefused("no"))
    step, _ = await waiting(gate, LOGIN)
    assert site.tries == []
    site.is_mended = True
    await step
    assert site.tries == [LOGIN]


@pytest.mark.parametrize("resumed", [1, 5])
async def test_a_person_who_says_resume_has_everything_tried_at_once(build: Build, site: Site, resumed: int) -> None:
    gate = build(NEVER)
    gate.told(SiteState(site="cluster", resumed=resumed))
    gate.failed(away(SCRATCH))
    step, _ = await waiting(gate, SCRATCH)
    gate.told(SiteState(site="cluster", resumed=resumed))
    for _ in range(20):
        await asyncio.sleep(0)
    assert site.tries == []
    gate.told(SiteState(site="cluster", resumed=resumed + 1))
    await step
    assert site.tries == [SCRATCH]


async def test_a_person_who_asks_may_always_try_and_opens_the_gate_when_it_works(build: Build, site: Site) -> None:
    gate = build(NEVER)
    gate.failed(away(LOGIN))
    gate.failed(away(SCHEDULER))
    step, _ = await waiting(gate, LOGIN, SCHEDULER)

    async def check(broken: bool) -> str:
        if broken:
            raise away(LOGIN)
        return "connected"

    with pytest.raises(SiteUnreachable):
        await gate.asked_by_a_person(check(broken=True))
    assert gate.troubles[0].tries == 2, "this too was an attempt"
    assert await gate.asked_by_a_person(check(broken=False)) == "connected"
    await step
    assert site.tries == [SCHEDULER]


async def test_a_paused_site_is_left_alone_and_goes_on_when_it_is_resumed(gate: Gate, site: Site) -> None:
    opened = []
    gate.when_open.append(lambda: opened.append(True))
    gate.told(SiteState(site="cluster", pause=PAUSE))
    shut(gate, site, away(SCHEDULER))
    step, told = await waiting(gate, LOGIN)
    assert told[0].reason == "Site cluster was paused by ann: maintenance."
    assert told[0].needs == "howdah site resume cluster"
    with pytest.raises(SiteUnreachable, match="paused by ann"):
        gate.check()
    for _ in range(50):
        await asyncio.sleep(0)
    assert site.tries == []
    site.broken.clear()
    gate.told(SiteState(site="cluster", resumed=1))
    await step
    await gate.passing(SCHEDULER)
    assert opened


async def test_a_pause_stops_the_tries(gate: Gate, site: Site) -> None:
    shut(gate, site, away())
    step, _ = await waiting(gate, LOGIN)
    await site.tried(2)
    gate.told(SiteState(site="cluster", pause=PAUSE))
    prober = gate._prober
    assert prober is not None
    await prober
    assert not step.done()
    step.cancel()


async def test_a_desk_that_is_gone_pauses_nothing(gate: Gate) -> None:
    gate.told(SiteState(site="cluster", pause=PAUSE))
    gate.told(None)
    await gate.passing(LOGIN)


async def test_who_finds_no_chair_is_sent_away_for_a_while(gate: Gate, site: Site) -> None:
    shut(gate, site, HostKeyRefused("changed"))
    chairs = Chairs(2)
    steps = [await waiting(gate, LOGIN, seat=chairs.seat()) for _ in range(2)]
    with pytest.raises(HostKeyRefused, match="changed") as caught:
        await gate.passing(LOGIN, seat=chairs.seat())
    assert caught.value.part is LOGIN, "so it is tried again, and does not wait for an operator"
    assert 20 <= (caught.value.retry_after or 0) <= 40
    site.broken.clear()
    await asyncio.gather(*(step for step, _ in steps))
    assert chairs.free == 2


def test_the_more_are_away_the_longer_they_stay_away() -> None:
    chairs = Chairs(0, clock=lambda: 0.0)
    pauses = [chairs.return_after() for _ in range(5000)]
    assert all(20 <= pause <= 40 for pause in pauses[:400])
    assert all(225 <= pause <= 500 for pause in pauses[-500:])


async def test_a_step_that_waits_in_line_and_at_the_gate_holds_one_chair() -> None:
    chairs = Chairs(1)
    seat = chairs.seat()
    with seat.taken(lambda _: away()), seat.taken(lambda _: away()):
        assert chairs.free == 0
        with pytest.raises(SiteUnreachable), chairs.seat().taken(lambda _: away()):
            raise AssertionError
    assert chairs.free == 1


async def test_a_step_that_is_cancelled_while_it_waits_gives_its_chair_back(gate: Gate, site: Site) -> None:
    shut(gate, site, away())
    chairs = Chairs(1)
    step, _ = await waiting(gate, LOGIN, seat=chairs.seat())
    assert chairs.free == 0
    step.cancel()
    await asyncio.gather(step, return_exceptions=True)
    assert chairs.free == 1


async def test_nobody_is_tried_for_when_nobody_has_asked_for_long(build: Build, site: Site) -> None:
    gate = build(interest=0.0)
    gate.failed(away())
    prober = gate._prober
    assert prober is not None
    await prober
    assert gate.troubles == (), "who asks next finds out"
    await gate.passing(LOGIN)


async def test_a_fault_of_ours_does_not_end_the_tries(gate: Gate, site: Site) -> None:
    site.broken[LOGIN] = RuntimeError("a bug")
    gate.failed(away())
    step, told = await waiting(gate, LOGIN)
    await site.tried(3)
    assert told[-1].reason == "RuntimeError: a bug"
    site.broken.clear()
    await step


async def test_the_desk_hears_of_what_changed_and_not_of_every_try(gate: Gate, site: Site) -> None:
    shut(gate, site, away())
    await gate.changed()
    assert [trouble.part for trouble in gate.troubles] == [LOGIN]
    news = asyncio.create_task(gate.changed())
    await site.tried(4)
    assert not news.done()
    site.broken.clear()
    await news
    assert gate.troubles == ()


async def test_what_changed_while_nobody_listened_is_told(gate: Gate, site: Site) -> None:
    listening = asyncio.create_task(gate.changed())
    await asyncio.sleep(0)
    listening.cancel()
    shut(gate, site, away())
    await gate.changed()
    site.broken.clear()
    await gate.passing(LOGIN)
    await gate.changed()


FULL = DataError("No room for mesh.dat.", cause=FailureCause.QUOTA)


async def test_a_file_too_big_is_its_jobs_own_trouble_when_a_small_one_can_be_stored(gate: Gate, site: Site) -> None:
    blamed = await gate.blamed(FULL, LOGIN, SCRATCH, by="step")
    assert blamed is FULL
    assert blamed.part is None
    assert gate.troubles == ()
    assert site.tries == [SCRATCH]


async def test_a_full_disk_is_everybodys_trouble_and_looked_at_once(gate: Gate, site: Site) -> None:
    site.broken[SCRATCH] = SiteError("Not even 1M.", cause=FailureCause.QUOTA, part=SCRATCH)
    gate.told(SiteState(site="cluster", pause=PAUSE))  # so that the prober keeps still
    found = await asyncio.gather(*(gate.blamed(FULL, LOGIN, SCRATCH, by="step") for _ in range(100)))
    assert {error.part for error in found} == {SCRATCH}
    assert all(error.retry_after for error in found)
    assert site.tries == [SCRATCH]
    assert [trouble.cause for trouble in gate.troubles] == [FailureCause.QUOTA]


async def test_a_scratch_that_cannot_be_asked_leaves_the_question_open(gate: Gate, site: Site) -> None:
    site.broken[SCRATCH] = OutcomeUnknown("The connection was lost.")
    blamed = await gate.blamed(FULL, LOGIN, SCRATCH, by="step")
    assert blamed.transient
    assert gate.troubles == ()


async def test_trouble_of_one_job_shuts_no_gate(gate: Gate, site: Site) -> None:
    error = DataError("input.dat is not there.", cause=FailureCause.INPUT_MISSING)
    assert await gate.blamed(error, LOGIN, SCRATCH, by="step") is error
    assert site.tries == []
    assert gate.troubles == ()


async def test_who_was_asked_to_stay_away_longer_does(gate: Gate) -> None:
    lost = OutcomeUnknown("The answer was lost.", retry_after=30, part=SCHEDULER)
    assert (await gate.blamed(lost, LOGIN, SCHEDULER, by="step")).retry_after == 30


async def test_who_tells_late_of_a_lost_way_does_not_shut_the_gate_again(gate: Gate, site: Site) -> None:
    error = away(LOGIN)
    shut(gate, site, error)
    site.broken.clear()
    await gate.passing(LOGIN)
    blamed = await gate.blamed(error, LOGIN, by="step")
    assert blamed.part is LOGIN, "so it comes back soon"
    assert gate.troubles == ()


async def test_who_blames_a_scheduler_that_answers_all_others_is_to_blame_himself(gate: Gate, site: Site) -> None:
    def refused() -> SiteError:
        return SiteError("sbatch is not there.", cause=FailureCause.CONFIGURATION, part=SCHEDULER)

    tries = 0
    while (await gate.blamed(refused(), LOGIN, SCHEDULER, by="poor job")).part is SCHEDULER:
        tries += 1
        await gate.passing(SCHEDULER)
    assert tries == 5, "it may have been about to come back; then an operator is asked"
    assert gate.troubles == ()
    assert (await gate.blamed(refused(), LOGIN, SCHEDULER, by="another")).part is SCHEDULER


async def test_a_scheduler_that_stays_away_is_never_taken_for_the_trouble_of_one_job(gate: Gate, site: Site) -> None:
    shut(gate, site, away(SCHEDULER))
    for _ in range(20):
        assert (await gate.blamed(away(SCHEDULER), LOGIN, SCHEDULER, by="job")).part is SCHEDULER


async def test_trouble_that_only_a_person_has_met_is_tried_and_forgotten_like_any_other(
    build: Build, site: Site
) -> None:
    gate = build(interest=0.0)

    async def check() -> None:
        raise CredentialsRefused("Permission denied.")

    with pytest.raises(CredentialsRefused):
        await gate.asked_by_a_person(check())
    prober = gate._prober
    assert prober is not None
    await prober
    assert gate.troubles == ()


async def test_nothing_is_tried_after_the_end_whatever_fails_then(gate: Gate, site: Site) -> None:
    await gate.close()
    gate.failed(away())
    assert gate._prober is None


async def test_a_person_who_says_resume_during_a_try_has_another_one_at_once(build: Build, site: Site) -> None:
    gate = build(Pace(first=0.0, longest=3600, unwelcome=3600, very_unwelcome=3600, settle=0.0))
    gate.told(SiteState(site="cluster"))
    site.answers.clear()
    site.broken[LOGIN] = CredentialsRefused("no")
    gate.failed(away())
    step, _ = await waiting(gate, LOGIN)
    await site.begun.wait()
    gate.told(SiteState(site="cluster", resumed=1))
    site.answers.set()
    await site.tried(2)
    site.broken.clear()
    gate.told(SiteState(site="cluster", resumed=2))
    await step


async def test_a_try_that_was_begun_before_somebody_saw_it_work_shuts_nothing(gate: Gate, site: Site) -> None:
    site.answers.clear()
    shut(gate, site, away(SCHEDULER))
    await site.begun.wait()
    gate.works(SCHEDULER)
    site.answers.set()
    prober = gate._prober
    assert prober is not None
    await prober
    assert gate.troubles == ()
