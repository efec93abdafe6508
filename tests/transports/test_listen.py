"""A command that tells what it sees, line by line, for as long as somebody listens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.errors import OutcomeUnknown
from howdah.models.sites import ForkSite
from howdah.testing.sshd import PrivateSshd
from tests.transports.conftest import Connect

LOOP = "echo $$; echo two; while IFS= read -r word; do :; done; echo gone >{gone}"
"""Ends as soon as its input does."""


@pytest.fixture
async def here() -> AsyncIterator[Shell]:
    shell = Shell(LocalTransport(ForkSite(name="local")))
    yield shell
    await shell.close()


async def two_lines(shell: Shell, gone: Path) -> int:
    """The process of a loop that has told two lines, and was not listened to any longer."""
    async with asyncio.timeout(20), aclosing(shell.listen(LOOP.format(gone=gone))) as lines:
        process = int(await anext(lines))
        assert await anext(lines) == "two", "though no line follows it"
    return process


async def until_gone(process: int) -> None:
    async with asyncio.timeout(20):
        while Path(f"/proc/{process}").exists():  # noqa: ASYNC110  # another process ends
            await asyncio.sleep(0.02)


async def test_a_line_is_told_when_it_comes_and_nothing_is_left_when_nobody_listens(
    here: Shell, tmp_path: Path
) -> None:
    await until_gone(await two_lines(here, tmp_path / "gone"))


@pytest.mark.sshd
async def test_it_is_the_same_through_ssh(sshd: PrivateSshd, connect: Connect, tmp_path: Path) -> None:
    shell = Shell(connect(sshd))
    await until_gone(await two_lines(shell, tmp_path / "gone"))
    await shell.close()


async def test_who_listens_holds_a_session_but_keeps_no_transfer_waiting(tmp_path: Path) -> None:
    shell = Shell(LocalTransport(ForkSite(name="local")), sessions=3)
    async with asyncio.timeout(20), aclosing(shell.listen(LOOP.format(gone=tmp_path / "gone"))) as lines:
        await anext(lines)
        assert b"".join([chunk async for chunk in shell.receive("echo data")]) == b"data\n"
        assert (await shell.run("echo answer")).out == "answer\n"
    await shell.close()


async def test_a_loop_that_has_ended_well_has_told_all(here: Shell) -> None:
    assert [line async for line in here.listen("echo one; echo; echo two")] == ["one", "", "two"]


@pytest.mark.parametrize("script", ["echo one; exit 3", "kill -9 $$", "sleep 20"])
async def test_a_loop_that_breaks_off_or_falls_silent_is_no_end(here: Shell, script: str) -> None:
    with pytest.raises(OutcomeUnknown):
        _ = [line async for line in here.listen(script, idle=0.5)]


async def test_what_has_no_lines_is_not_listened_to_for_ever(here: Shell) -> None:
    with pytest.raises(OutcomeUnknown, match="prints no lines"):
        _ = [line async for line in here.listen("tr '\\0' x </dev/zero")]
