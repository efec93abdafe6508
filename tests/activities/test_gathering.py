"""Who leaves for a site together, and what each of them hears."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howdah.activities import gathering as gatherings
from howdah.activities.gathering import MOST_BYTES, Asked, Gathering, company
from howdah.activities.schedulers import Question
from howdah.activities.schedulers.fork import Fork
from howdah.activities.schedulers.together import MOST
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Answer, Shell
from howdah.errors import OutcomeUnknown, SiteError, SiteUnreachable
from howdah.models.desk import Part
from howdah.models.sites import ForkSite, Site
from howdah.precedence import Precedence, taking
from howdah.turns import Turn
from tests.activities.stand import Stand, wait_for

HERE = Site(name="here", kind="fork")


class Counted(Shell):
    """`trips` are the scripts it was given. What is in `fails` is raised instead of the next one."""

    def __init__(self) -> None:
        super().__init__(LocalTransport(HERE))
        self.trips: list[str] = []
        self.fails: list[SiteError] = []

    async def run(
        self, script: str, *, within: float = 60.0, take: Callable[[bytes], Awaitable[None]] | None = None
    ) -> Answer:
        self.trips.append(script)
        if self.fails:
            raise self.fails.pop()
        return await super().run(script, within=within, take=take)


@pytest.fixture
async def shell() -> AsyncIterator[Counted]:
    shell = Counted()
    yield shell
    await shell.close()


def question(script: str) -> Question[str]:
    return Question(script, str.strip)


async def test_what_is_asked_at_once_goes_in_one_script_and_what_is_asked_meanwhile_in_the_next(
    shell: Counted, tmp_path: Path
) -> None:
    gathering: Gathering[str] = Gathering(shell)
    waits = f"until [ -e {tmp_path}/go ]; do sleep 0.02; done; echo"
    first = [
        gathering.begin(question(f"touch {tmp_path}/begun; {waits} {number}"), key=str(number)) for number in range(4)
    ]
    await wait_for(tmp_path / "begun")
    second = [gathering.begin(question(f"echo {number}"), key=str(number)) for number in range(40)]
    (tmp_path / "go").touch()
    told = await asyncio.gather(*(asked.heard() for asked in (*first, *second)))
    assert told == [*map(str, range(4)), *map(str, range(40))]
    assert len(shell.trips) == 2


async def test_of_more_than_go_at_once_the_urgent_leave_first_and_projects_take_turns(
    shell: Counted, tmp_path: Path
) -> None:
    shares = {"big": 3.0, "small": 1.0}
    gathering: Gathering[str] = Gathering(shell, lambda project: shares.get(project, 1.0))
    waits = f"touch {tmp_path}/begun; until [ -e {tmp_path}/go ]; do sleep 0.02; done"
    first = gathering.begin(question(waits), key="first")
    await wait_for(tmp_path / "begun")
    for project in ("big", "small"):
        with taking(Precedence(project=project)):
            for number in range(60):
                gathering.begin(question(f"echo {project}"), key=f"{project}{number}")
    with taking(Precedence(1)):
        urgent = [gathering.begin(question("echo urgent"), key=f"urgent{number}") for number in range(10)]
    chosen = company(gathering._waiting)
    assert chosen[:10] == urgent
    assert Counter(asked.turn.project for asked in chosen[10:]) == {"big": 30, "small": 10}
    (tmp_path / "go").touch()
    await first.heard()
    assert [await asked.heard() for asked in urgent] == ["urgent"] * 10
    assert sum("echo urgent" in trip for trip in shell.trips) == 1


async def test_an_answer_that_is_there_does_not_wait_for_those_that_are_not(shell: Counted, tmp_path: Path) -> None:
    """Nor do those who come later wait for one that hangs."""
    gathering: Gathering[str] = Gathering(shell)
    hangs = gathering.begin(question(f"until [ -e {tmp_path}/go ]; do sleep 0.02; done"), key="hangs")
    assert await gathering.ask(question("echo quick"), key="quick") == "quick"
    assert await gathering.ask(question("echo later"), key="later") == "later"
    assert not hangs.answer.done()
    (tmp_path / "go").touch()
    assert await hangs.heard() == ""


async def test_who_is_cancelled_before_he_leaves_was_never_asked(shell: Counted, tmp_path: Path) -> None:
    gathering: Gathering[str] = Gathering(shell)
    asking = [
        asyncio.create_task(gathering.ask(question(f"touch {tmp_path}/{name}; echo {name}"), key=name))
        for name in ("stays", "goes")
    ]
    await asyncio.sleep(0)
    asking[1].cancel()
    assert await asking[0] == "stays"
    with pytest.raises(asyncio.CancelledError):
        await asking[1]
    assert [path.name for path in tmp_path.iterdir()] == ["stays"]


@pytest.mark.parametrize("comes", ["in time", "too late"])
async def test_who_is_cancelled_under_way_goes_on_when_it_cannot_overtake_him_any_more(
    shell: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, comes: str
) -> None:
    """A folder that is made after it was removed would stay for ever. A site that hangs keeps nobody."""
    if comes == "too late":
        monkeypatch.setattr(gatherings, "SETTLED", 0.1)
    gathering: Gathering[str] = Gathering(shell)
    waits = f"touch {tmp_path}/begun; until [ -e {tmp_path}/go ]; do sleep 0.02; done; touch {tmp_path}/made"
    asking = asyncio.create_task(gathering.ask(question(waits), key="made"))
    await wait_for(tmp_path / "begun")
    asking.cancel()
    if comes == "in time":
        assert await gathering.ask(question(f"touch {tmp_path}/go; echo on"), key="other") == "on"
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (tmp_path / "made").exists() == (comes == "in time")
    (tmp_path / "go").touch()
    await wait_for(tmp_path / "made")


@pytest.mark.parametrize("lost", [OutcomeUnknown("cut"), SiteUnreachable("away", part=Part.LOGIN)])
async def test_when_the_way_is_lost_each_hears_of_it_by_himself(shell: Counted, lost: SiteError) -> None:
    gathering: Gathering[str] = Gathering(shell)
    shell.fails.append(lost)
    told = await asyncio.gather(
        *(gathering.ask(question("true"), key=str(number)) for number in range(3)), return_exceptions=True
    )
    assert [type(error) for error in told] == [type(lost)] * 3
    assert len({id(error) for error in told}) == 3, "one may change his own"
    assert all(isinstance(error, SiteError) and error.part is lost.part for error in told)
    assert await gathering.ask(question("echo on"), key="on") == "on"


async def test_those_whose_turn_does_not_come_in_time_go_with_the_next_unless_nobody_wants_them_any_more(
    shell: Counted, tmp_path: Path
) -> None:
    """A clock that jumps stands for a site that is slow."""
    clock = f"date() {{ [ -e {tmp_path}/later ] && echo 99999 || echo 100; }}\n"
    waits = f"{clock}touch {tmp_path}/$ahead; until [ -e {tmp_path}/later ]; do sleep 0.02; done; echo on"
    gathering: Gathering[str] = Gathering(shell)
    asked = [gathering.begin(Question(waits, str.strip, common=clock), key=str(number)) for number in range(7)]
    await asyncio.gather(*(wait_for(tmp_path / str(number)) for number in range(4)))
    assert not gathering.withdraw(asked[-1]), "it has left"
    (tmp_path / "later").touch()
    assert [await one.heard() for one in asked[:-1]] == ["on"] * 6
    with pytest.raises(asyncio.CancelledError):
        await asked[-1].heard()
    assert len(shell.trips) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2", "3", "later"]


async def test_a_script_that_is_killed_half_way_leaves_what_was_answered_answered(
    shell: Counted, tmp_path: Path
) -> None:
    gathering: Gathering[str] = Gathering(shell)
    quick = gathering.begin(question("echo quick"), key="quick")
    kills = gathering.begin(question(f"until [ -e {tmp_path}/go ]; do sleep 0.02; done; kill -s KILL 0"), key="kills")
    assert await quick.heard() == "quick"
    (tmp_path / "go").touch()
    with pytest.raises(OutcomeUnknown):
        await kills.heard()


async def test_folders_are_made_and_removed_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = ForkSite(name="here", scratch=str(tmp_path))
    stand = Stand(site, LocalTransport(site), Fork(site))
    trips = 0
    run = stand.shell.run

    async def counted(script: str, **how: Any) -> Answer:
        nonlocal trips
        trips += 1
        return await run(script, **how)

    monkeypatch.setattr(stand.shell, "run", counted)
    attempts = stand.attempts(20)
    made = await asyncio.gather(*(stand.steps.prepare(attempt) for attempt in attempts))
    placed = [attempt.at(workdir.folder) for attempt, workdir in zip(attempts, made, strict=True)]
    assert all((Path(workdir.folder) / ".howdah" / "key").exists() for workdir in made)
    await asyncio.gather(*(stand.steps.cleanup(attempt) for attempt in placed))
    assert not any(Path(workdir.folder).exists() for workdir in made)
    assert trips == 2
    await stand.close()


_numbers = count()


def asked(script: str, key: str, common: str = "") -> Any:
    answer: Any = None
    turn = Turn(3, 1.0, next(_numbers), "")
    return Asked(Question(common + script, str, common=common), key, turn, answer=answer)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, MOST_BYTES), st.sampled_from("ab")), max_size=120))
def test_a_company_is_the_first_that_fit_together(waiting: list[tuple[int, int, str]]) -> None:
    crowd = [asked("x" * size, str(key), common) for key, size, common in waiting]
    chosen = company(crowd)
    assert chosen[:1] == crowd[:1], "whoever waits longest leaves, however heavy"
    assert len(chosen) <= MOST
    assert len({one.key for one in chosen}) == len(chosen)
    assert len({one.question.common for one in chosen}) <= 1
    assert len(chosen) <= 1 or sum(len(one.question.script) - 1 for one in chosen) <= MOST_BYTES
    assert [one.turn for one in chosen] == sorted(one.turn for one in chosen)
