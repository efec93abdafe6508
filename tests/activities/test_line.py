"""Waiting for a slot: one asks, the others stand in line, and nobody is forgotten."""

import asyncio

import pytest

from howdah.activities.chairs import Chairs
from howdah.activities.line import Line
from howdah.errors import NoSlot, SiteUnreachable
from howdah.models.progress import Live
from howdah.precedence import Precedence, taking

LONG = 3600.0


class Site:
    """Takes jobs while there are `slots`; `asked` holds who asked, in order."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.asked: list[str] = []
        self.never: set[str] = set()
        self.broken: Exception | None = None
        self._news = asyncio.Condition()

    async def was_asked(self, times: int) -> None:
        async with self._news:
            await self._news.wait_for(lambda: len(self.asked) >= times)

    async def submit(self, name: str) -> str:
        self.asked.append(name)
        async with self._news:
            self._news.notify_all()
        if self.broken:
            raise self.broken
        if self.slots <= 0 or name in self.never:
            raise NoSlot("The site is full.")
        self.slots -= 1
        return name


class Steps:
    def __init__(self, site: Site, line: Line, chairs: int = 25) -> None:
        self.site, self.line, self.chairs = site, line, Chairs(chairs)
        self.told: dict[str, Live] = {}

    async def begin(self, name: str, kind: str = "debug") -> "asyncio.Task[str]":
        """Returns when it waits in line, or is done."""

        waits = asyncio.Event()

        def tell(live: Live) -> None:
            self.told[name] = live
            waits.set()

        turn = self.line.turn(kind, lambda: self.site.submit(name), tell=tell, seat=self.chairs.seat())
        step = asyncio.create_task(turn)
        waited = asyncio.create_task(waits.wait())
        await asyncio.wait({step, waited}, return_when=asyncio.FIRST_COMPLETED)
        waited.cancel()
        return step


async def test_a_site_with_slots_is_asked_by_everybody() -> None:
    steps = Steps(Site(slots=3), Line())
    assert [await (await steps.begin(name)) for name in "abc"] == ["a", "b", "c"]


async def test_a_full_site_is_asked_by_the_first_in_line_only() -> None:
    site = Site(slots=0)
    steps = Steps(site, Line(first=LONG))
    waiting = [await steps.begin(name) for name in "abcd"]
    assert site.asked == ["a"]
    assert steps.told["a"].doing == "waits for a slot"
    assert steps.told["a"].reason == "The site is full."
    assert steps.told["d"].reason == "The site is full. 3 ahead in line."
    assert steps.told["d"].since is not None
    for step in waiting:
        step.cancel()


async def test_when_jobs_end_the_line_moves_at_once_and_in_order() -> None:
    site = Site(slots=0)
    steps = Steps(site, Line(first=LONG))
    waiting = [await steps.begin(name) for name in "abcd"]
    site.slots = 2
    steps.line.freed()
    assert await asyncio.gather(*waiting[:2]) == ["a", "b"]
    await site.was_asked(4)
    await asyncio.sleep(0)
    assert site.asked == ["a", "a", "b", "c"]
    assert not waiting[2].done()
    assert steps.told["d"].reason.endswith("1 ahead in line.")
    site.slots = 2
    steps.line.freed()
    assert await asyncio.gather(*waiting[2:]) == ["c", "d"]


async def test_the_first_in_line_asks_again_by_itself() -> None:
    site = Site(slots=0)
    steps = Steps(site, Line(first=0.001, longest=0.002))
    waiting = await steps.begin("a")
    await site.was_asked(5)
    site.slots = 1
    assert await waiting == "a"


async def test_a_job_that_ended_while_the_first_was_asking_is_not_overlooked() -> None:
    site = Site(slots=0)
    steps = Steps(site, Line(first=LONG))
    waiting = await steps.begin("a")
    steps.line.freed()
    await site.was_asked(2)
    steps.line.freed()  # its question is on its way, and was answered before
    site.slots = 1
    assert await waiting == "a"


async def test_a_job_that_no_slot_fits_does_not_keep_the_others_for_ever() -> None:
    site = Site(slots=0)
    site.never = {"licence"}
    steps = Steps(site, Line(first=0.001, longest=0.002))
    stuck = await steps.begin("licence")
    others = [await steps.begin(name) for name in "abc"]
    site.slots = 3
    assert await asyncio.gather(*others) == ["a", "b", "c"]
    assert not stuck.done()
    stuck.cancel()


async def test_another_partition_has_another_line() -> None:
    site = Site(slots=0)
    steps = Steps(site, Line(first=LONG))
    stuck = await steps.begin("a", "down")
    site.slots = 1
    assert await (await steps.begin("b", "up")) == "b"
    stuck.cancel()


async def test_who_finds_no_chair_is_sent_away_and_told_how_many_wait() -> None:
    steps = Steps(Site(slots=0), Line(first=LONG), chairs=2)
    waiting = [await steps.begin(name) for name in "ab"]
    with pytest.raises(NoSlot, match="2 ahead in line") as caught:
        await (await steps.begin("c"))
    assert 20 <= (caught.value.retry_after or 0) <= 40
    for step in waiting:
        step.cancel()


async def test_a_job_cancelled_in_line_makes_place_for_the_next() -> None:
    site = Site(slots=0)
    steps = Steps(site, Line(first=LONG))
    first, second = await steps.begin("a"), await steps.begin("b")
    site.slots = 1
    first.cancel()
    assert await second == "b"
    assert steps.chairs.free == 25
    assert not steps.line._queues


async def test_other_trouble_of_the_first_is_its_own() -> None:
    site = Site(slots=0)
    steps = Steps(site, Line(first=LONG))
    first, second = await steps.begin("a"), await steps.begin("b")
    site.broken = SiteUnreachable("away")
    steps.line.freed()
    with pytest.raises(SiteUnreachable):
        await first
    with pytest.raises(SiteUnreachable):
        await second


async def test_a_line_for_which_there_are_no_chairs_is_not_closed_for_ever() -> None:
    site = Site(slots=0)
    steps = Steps(site, Line(first=0.0, longest=0.0), chairs=0)
    for name in "ab":
        with pytest.raises(NoSlot):
            await (await steps.begin(name))
    site.slots = 1
    assert await (await steps.begin("c")) == "c"
    assert site.asked == ["a", "b", "c"]
    assert not steps.line._queues


async def test_who_comes_to_an_empty_line_asks_only_when_a_question_is_due() -> None:
    site = Site(slots=0)
    steps = Steps(site, Line(first=LONG), chairs=0)
    for name in "abc":
        with pytest.raises(NoSlot):
            await (await steps.begin(name))
    assert site.asked == ["a"]
    site.slots = 1
    steps.line.freed()
    assert await (await steps.begin("d")) == "d"


async def test_fifty_refused_at_the_same_time_count_for_one() -> None:
    site = Site(slots=0)
    line = Line(first=LONG, longest=LONG * 100)
    steps = Steps(site, line, chairs=50)
    answers, all_asked = asyncio.Event(), asyncio.Barrier(51)

    async def ask() -> str:
        await all_asked.wait()
        await answers.wait()
        return await site.submit("a")

    waiting = [
        asyncio.create_task(line.turn("debug", ask, tell=lambda _: None, seat=steps.chairs.seat())) for _ in range(50)
    ]
    await all_asked.wait()
    answers.set()
    await site.was_asked(50)
    await asyncio.sleep(0)
    (queue,) = line._queues.values()
    assert (len(queue.places), queue.refused, queue.pause) == (50, 1, LONG * 1.5)
    for step in waiting:
        step.cancel()


async def test_who_leaves_from_behind_makes_nobody_ask() -> None:
    site = Site(slots=0)
    steps = Steps(site, Line(first=LONG))
    first, second, third = [await steps.begin(name) for name in "abc"]
    second.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert steps.told["c"].reason == "The site is full. 1 ahead in line."
    assert site.asked == ["a"]
    for step in (first, third):
        step.cancel()


async def test_the_urgent_goes_to_the_head_of_the_line() -> None:
    site = Site(slots=0)
    steps = Steps(site, Line(first=LONG))
    waiting = [await steps.begin(name) for name in "abc"]
    with taking(Precedence(1)):
        urgent = await steps.begin("urgent")
    assert steps.told["a"].reason == "The site is full. 1 ahead in line."
    site.slots = 1
    steps.line.freed()
    assert await urgent == "urgent"
    for step in waiting:
        step.cancel()


async def test_projects_take_turns_in_line() -> None:
    site = Site(slots=0)
    steps = Steps(site, Line(first=LONG))
    waiting = []
    for project, number in (("a", 6), ("b", 3)):
        with taking(Precedence(project=project)):
            waiting += [await steps.begin(f"{project}{index}") for index in range(number)]
    site.slots = 6
    steps.line.freed()
    await site.was_asked(1 + 6 + 1)
    assert sorted(site.asked[1:7]) == ["a0", "a1", "a2", "b0", "b1", "b2"]
    for step in waiting:
        step.cancel()


async def test_the_urgent_who_was_refused_often_is_the_first_to_ask_when_a_job_has_ended() -> None:
    """Others have been let try meanwhile."""
    site = Site(slots=0)
    steps = Steps(site, Line(first=0.001, longest=0.002))
    with taking(Precedence(1)):
        urgent = await steps.begin("urgent")
    others = [await steps.begin(name) for name in "ab"]
    async with asyncio.timeout(10):
        while "a" not in site.asked:
            await site.was_asked(len(site.asked) + 1)
    site.slots = 1
    steps.line.freed()
    assert await urgent == "urgent"
    assert not any(step.done() for step in others)
    for step in others:
        step.cancel()


async def test_the_urgent_finds_a_chair_in_a_crowded_line_though_nobody_who_asks_is_cut_short() -> None:
    site = Site(slots=0)
    steps = Steps(site, Line(first=LONG), chairs=2)
    first, last = [await steps.begin(name) for name in "ab"]
    with taking(Precedence(1)):
        urgent = await steps.begin("urgent")
    with pytest.raises(NoSlot, match="in line"):
        await last
    site.slots = 2
    steps.line.freed()
    assert [await urgent, await first] == ["urgent", "a"]
    assert steps.chairs.free == 2


async def test_one_who_comes_while_the_first_is_asking_waits_for_the_answer() -> None:
    site = Site(slots=0)
    line, chairs = Line(first=0.0, longest=0.0), Chairs(5)
    asks, answered = asyncio.Event(), asyncio.Event()

    async def ask() -> str:
        if not asks.is_set():
            asks.set()
            return await site.submit("first")  # refused, it goes to the line
        await answered.wait()
        return await site.submit("first")

    first = asyncio.create_task(line.turn("debug", ask, tell=lambda _: None, seat=chairs.seat()))
    await site.was_asked(1)
    with taking(Precedence(1)):
        urgent = asyncio.create_task(
            line.turn("debug", lambda: site.submit("urgent"), tell=lambda _: None, seat=chairs.seat())
        )
    site.slots = 2
    for _ in range(10):
        await asyncio.sleep(0)
    assert site.asked == ["first"]
    answered.set()
    assert [await first, await urgent] == ["first", "urgent"]
