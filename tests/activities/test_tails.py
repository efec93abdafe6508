"""Many who follow the logs of jobs at a real site, and what cuts them off."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from howdah.activities.circuit import Pace
from howdah.activities.gate import Gate
from howdah.activities.tails import CROWD, TailPace, Tails
from howdah.activities.transports import Transport
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.activities.transports.ssh import SshTransport
from howdah.activities.transports.ssh_login import Timing
from howdah.models.desk import Part, Pause, SiteState
from howdah.models.logs import LogPlace, LogsRead, ReadLogs
from howdah.models.sites import ForkSite
from howdah.testing.sshd import PrivateSshd
from howdah.testing.wire import Wire

SWIFT = TailPace(eager=0.02, fast=0.02, slow=0.05, failing=0.05)
QUICK = Timing(keepalive=0.5, keepalives=2, connect=5, login=5, crowded=20)
SOON = Pace(first=0.02, longest=0.1, unwelcome=0.02, very_unwelcome=0.1, settle=0.0)
FOR_EVER = 100.0


class Here:
    """A site as a worker has it, with a gate that tries `/bin/true`."""

    def __init__(self, site: ForkSite, transport: Transport, *, sessions: int = 6) -> None:
        self.knock = Shell(transport, sessions=1)
        self.gate = Gate(site.name, self._probe, pace=SOON, look=0.02)
        self.shell = Shell(transport, sessions=sessions, door=self.gate)
        self.tails = Tails(self.shell, self.gate, pace=SWIFT)

    async def _probe(self, _: Part) -> None:
        await self.knock.run("true")

    async def close(self) -> None:
        await self.gate.close()
        await self.shell.close()


class Follower:
    """Reads on from where it stands, as `howdah logs -f` does."""

    def __init__(self, folder: Path, tails: Tails) -> None:
        self.control = folder / ".howdah"
        self.control.mkdir(parents=True, exist_ok=True)
        self.file = self.control / "stdout"
        self.tails = tails
        self.place = LogPlace(stream="stdout")
        self.heard = b""
        self.told: list[str] = []

    def print(self, text: bytes) -> None:
        with self.file.open("ab") as file:
            file.write(text)

    async def ask(self, *, patience: float = FOR_EVER, limit: int = 1000, knows: str = "") -> LogsRead:
        ask = ReadLogs(
            folder=str(self.control.parent), places=(self.place,), patience=patience, limit=limit, knows=knows
        )
        answer = await self.tails.read(ask)
        for news in answer.news:
            self.heard += news.data
            self.place = news.place
        return answer

    async def until(self, text: bytes) -> None:
        """Until it has heard this. Fails by the test's own time limit."""
        knows = ""
        while text not in self.heard:
            knows = (await self.ask(knows=knows)).in_the_way
            self.told += [knows] if knows else []


Build = Callable[..., Here]


@pytest.fixture
async def build(tmp_path: Path) -> AsyncIterator[Build]:
    async with AsyncExitStack() as stack:

        def make(config: Path | None = None, *, sessions: int = 6) -> Here:
            site = ForkSite(name="far", scratch=str(tmp_path))
            transport: Transport = LocalTransport(site)
            if config is not None:
                site = site.model_copy(update={"ssh": "private", "ssh_config": str(config)})
                transport = SshTransport(site, timing=QUICK)
            here = Here(site, transport, sessions=sessions)
            stack.push_async_callback(here.close)
            return here

        yield make


@pytest.mark.sshd
async def test_eight_followers_share_two_sessions_with_a_question_and_each_hears_his_own(
    sshd: PrivateSshd, build: Build, tmp_path: Path
) -> None:
    here = build(sshd.ssh_config, sessions=2)
    followers = [Follower(tmp_path / f"job{number}", here.tails) for number in range(8)]
    hearing = [asyncio.create_task(one.until(b"end\n")) for one in followers]
    while here.tails.looks < 3:  # noqa: ASYNC110  # there is nobody who tells
        await asyncio.sleep(0.01)
    assert (await here.shell.run("echo passes")).out.strip() == "passes"
    for number, one in enumerate(followers):
        one.print(f"{number} end\n".encode())
    await asyncio.gather(*hearing)
    assert [one.heard for one in followers] == [f"{number} end\n".encode() for number in range(8)]
    asked = here.tails.looks
    await asyncio.gather(*(one.ask(patience=0.0) for one in followers))
    assert here.tails.looks <= asked + 2, "one question for all who are here"


@pytest.mark.sshd
async def test_a_connection_cut_in_the_middle_costs_no_byte_and_repeats_none(
    sshd: PrivateSshd, build: Build, tmp_path: Path
) -> None:
    async with Wire(sshd.port) as wire:
        here = build(sshd.behind(wire.port))
        one = Follower(tmp_path / "job", here.tails)
        all_of_it = b"".join(b"line %d \xc3\xa4\n" % number for number in range(3000))
        one.print(all_of_it)
        one.print(b"end\n")
        for _ in range(4):
            await one.ask(limit=4000)
            wire.cut_after(3000)
        await one.until(b"end\n")
        assert one.heard == all_of_it + b"end\n"


@pytest.mark.sshd
async def test_who_follows_is_told_that_the_site_is_away_and_goes_on_when_it_is_back(
    sshd: PrivateSshd, build: Build, tmp_path: Path
) -> None:
    async with Wire(sshd.port) as wire:
        here = build(sshd.behind(wire.port))
        one = Follower(tmp_path / "job", here.tails)
        one.print(b"begin\n")
        await one.until(b"begin\n")
        wire.refuse()
        wire.cut()
        hearing = asyncio.create_task(one.until(b"end\n"))
        while not one.told:  # noqa: ASYNC110  # there is nobody who tells
            await asyncio.sleep(0.01)
        one.print(b"end\n")
        await wire.accept()
        await hearing
        assert one.heard == b"begin\nend\n"


async def test_a_paused_site_is_not_touched_and_its_followers_know_why(build: Build, tmp_path: Path) -> None:
    here = build()
    one = Follower(tmp_path / "job", here.tails)
    one.print(b"hidden\n")
    pause = Pause.model_validate({"since": "2026-01-01T00:00:00Z", "by": "eve", "reason": "new disks"})
    here.gate.told(SiteState(site="far", pause=pause))
    told = (await one.ask()).in_the_way
    assert "was paused by eve: new disks" in told
    assert (await one.ask(patience=0.05, knows=told)).in_the_way == told
    assert (one.heard, here.tails.looks) == (b"", 0)
    waiting = asyncio.create_task(one.ask(knows=told))
    here.gate.told(SiteState(site="far", resumed=1))
    answer = await waiting
    assert (answer.in_the_way, one.heard) == ("", b"hidden\n")


async def test_nothing_is_asked_of_a_site_when_nobody_waits_any_more(build: Build, tmp_path: Path) -> None:
    here = build()
    one = Follower(tmp_path / "job", here.tails)
    one.print(b"begin\n")
    await one.until(b"begin\n")
    assert (await one.ask(patience=0.1)).news == ()
    looking = here.tails._looking
    assert looking is not None
    await looking
    asked = here.tails.looks
    await one.ask(patience=0.0)
    assert here.tails.looks == asked + 1


async def test_of_too_many_followers_the_last_are_sent_home_after_one_look(build: Build, tmp_path: Path) -> None:
    here = build()
    followers = [Follower(tmp_path / "job", here.tails) for _ in range(CROWD + 1)]
    followers[0].print(b"x")
    await followers[0].until(b"x")
    for one in followers:
        one.place = followers[0].place
    waiting = [asyncio.create_task(one.ask()) for one in followers]
    assert (await waiting[-1]).news == ()
    assert not any(task.done() for task in waiting[:-1])
    followers[0].print(b"y")
    assert all(answer.news for answer in await asyncio.gather(*waiting[:-1]))


async def test_a_program_that_has_ended_is_told_at_once(build: Build, tmp_path: Path) -> None:
    one = Follower(tmp_path / "job", build().tails)
    one.print(b"all\n")
    await one.until(b"all\n")
    waiting = asyncio.create_task(one.ask())
    (one.control / "end").write_text("exit_code=0")
    assert (await waiting).is_all


def test_a_site_is_asked_the_more_seldom_the_less_there_is_and_the_slower_it_answers() -> None:
    pace = TailPace()
    assert pace.after(2.0, news=True, took=0.1, failures=0) == pace.fast
    pauses = [pace.fast]
    while pauses[-1] < pace.slow:
        pauses.append(pace.after(pauses[-1], news=False, took=0.1, failures=0))
    assert pauses == sorted(pauses) and pauses[-1] == pace.slow
    assert pace.after(1.0, news=True, took=7.0, failures=0) == 7.0
    assert pace.after(1.0, news=False, took=0.1, failures=100) == pace.failing
