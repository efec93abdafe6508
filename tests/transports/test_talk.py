"""Two programs that speak in turns, one of them at the site."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from howdah.activities.transports.framing import Frame
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.errors import OutcomeUnknown, ShellBroken
from howdah.models.sites import ForkSite
from howdah.testing.sshd import PrivateSshd
from tests.transports.conftest import Connect, StartSshd

TURNS = [b"one", b"two\n", b"\n", b"\n\n", b"end\0", bytes(range(256))]


@pytest.fixture
async def here() -> AsyncIterator[Shell]:
    shell = Shell(LocalTransport(ForkSite(name="local")))
    yield shell
    await shell.close()


async def turns(shell: Shell, script: str = "cat; exit 5") -> tuple[bytes, int, str]:
    """Say the next thing only when the last one came back whole: whatever is held back on the way ends in silence."""
    heard, news = bytearray(), asyncio.Event()

    async def take(chunk: bytes) -> None:
        heard.extend(chunk)
        news.set()

    async def say() -> AsyncIterator[bytes]:
        said = 0
        for turn in TURNS:
            said += len(turn)
            yield turn
            while len(heard) < said:
                news.clear()
                await news.wait()

    answer = await shell.talk(script, say(), take, idle=20)
    return bytes(heard), answer.code, answer.errors


async def test_nothing_is_held_back_while_two_take_turns(here: Shell) -> None:
    assert await turns(here, "echo words >&2; cat; exit 5") == (b"".join(TURNS), 5, "words\n")


@pytest.mark.sshd
async def test_it_is_the_same_through_ssh(sshd: PrivateSshd, connect: Connect) -> None:
    assert await turns(Shell(connect(sshd))) == (b"".join(TURNS), 5, "")


@pytest.mark.sshd
async def test_what_start_up_files_print_is_no_part_of_it(start_sshd: StartSshd, connect: Connect) -> None:
    server = start_sshd()
    (server.home / ".bashrc").write_text("echo welcome; echo motd >&2\n")
    assert await turns(Shell(connect(server))) == (b"".join(TURNS), 5, "")


async def test_a_mark_of_an_end_in_the_data_is_data() -> None:
    frame = Frame.fresh(open_ended=True)
    reader = frame.reader()
    mark = f"\n{frame.nonce} end 0\n".encode()
    assert reader.feed(f"noise\n{frame.nonce} begin 1 \n".encode() + mark) == mark
    before = reader.code
    reader.ended(3)
    assert (before, reader.code) == (None, 3)


async def test_without_a_beginning_there_is_no_end() -> None:
    shell = Shell(LocalTransport(ForkSite(name="local")), prelude="exit 3")
    with pytest.raises(ShellBroken):
        await turns(shell)


async def test_a_source_that_fails_does_not_look_like_one_that_has_ended(here: Shell, tmp_path: Path) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"half"
        raise ValueError("the source failed")

    async def take(chunk: bytes) -> None:
        pass

    with pytest.raises(ValueError, match="the source failed"):
        await here.talk(f"cat && echo whole >{tmp_path}/whole", failing(), take)
    assert not (tmp_path / "whole").exists()


async def test_silence_is_not_waited_for_for_ever(here: Shell) -> None:
    never = asyncio.Event()

    async def silent() -> AsyncIterator[bytes]:
        await never.wait()
        yield b""

    async def take(chunk: bytes) -> None:
        pass

    with pytest.raises(OutcomeUnknown, match="stood still"):
        await here.talk("cat", silent(), take, idle=0.3)
