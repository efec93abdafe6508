"""What every transport must do. Authors of bundles run it against theirs:

    class TestMyTransport(TransportContract):
        @pytest.fixture
        async def transport(self):
            transport = MyTransport(...)
            yield transport
            await transport.close()

The machine at the other end must have a POSIX shell and the usual small programs.
"""
# ruff: noqa: S101, S311  # these are tests, and their data are no secrets

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import PurePosixPath

import pytest

from howdah.activities.transports import Transport
from howdah.activities.transports.framing import FROM_STDIN
from howdah.activities.transports.shell import Shell
from howdah.errors import OutcomeUnknown

BIG = 24 * 1024 * 1024
EVERY_BYTE = bytes(range(256)) * 16
HOSTILE = 'it\'s "quoted" $HOME `id` \\ ! * ~ ; & | < > ( ) {{ }} # % \t é \udcff end'
"""The last character but four stands for the byte 0xFF, which is not UTF-8."""


class SourceFailed(Exception):
    pass


class TransportContract:
    """Give a fixture `transport`; each test gets a shell of its own on it, and a folder at the other end."""

    @pytest.fixture
    async def shell(self, transport: Transport) -> AsyncIterator[Shell]:
        shell = Shell(transport)
        yield shell
        await shell.close()

    @pytest.fixture
    async def folder(self, shell: Shell) -> AsyncIterator[PurePosixPath]:
        """Asked of the site, for it need not be this machine."""
        path = PurePosixPath((await shell.run("mktemp -d")).out.strip())
        yield path
        await shell.run(f"rm -rf -- '{path}'")

    async def test_an_answer_has_output_exit_code_and_errors(self, shell: Shell) -> None:
        answer = await shell.run("echo said; echo complained >&2; exit 7")
        assert (answer.out, answer.code, answer.errors) == ("said\n", 7, "complained\n")

    async def test_output_is_exactly_what_the_script_wrote(self, shell: Shell) -> None:
        assert (await shell.run("printf 'no line end'")).out == "no line end"
        assert (await shell.run("printf '\\n\\n'")).out == "\n\n"
        assert (await shell.run(":")).out == ""

    async def test_no_character_of_a_script_needs_quoting_for_the_way(self, shell: Shell) -> None:
        answer = await shell.run(f"cat <<'END_OF_TEXT'\n{HOSTILE}\nEND_OF_TEXT\n")
        assert answer.out == HOSTILE + "\n"

    async def test_a_script_of_one_mebibyte_arrives_whole(self, shell: Shell) -> None:
        lines = [f"line {number} {random.getrandbits(200):x}" for number in range(20_000)]
        text = "\n".join(lines) + "\n"
        answer = await shell.run(f"cat <<'END_OF_TEXT'\n{text}END_OF_TEXT\n")
        assert len(text) > 1024 * 1024
        assert answer.out == text

    async def test_a_script_reads_an_empty_input_and_not_itself(self, shell: Shell) -> None:
        assert (await shell.run("cat\necho after")).out == "after\n"

    async def test_a_script_that_exits_early_is_answered(self, shell: Shell) -> None:
        answer = await shell.run("echo before\nexit 5\necho after")
        assert (answer.out, answer.code) == ("before\n", 5)

    async def test_a_command_killed_by_a_signal_counts_128_and_the_signal(self, shell: Shell) -> None:
        assert (await shell.run("sh -c 'kill -9 $$'")).code == 128 + 9

    async def test_nothing_is_open_to_others_by_default(self, shell: Shell, folder: PurePosixPath) -> None:
        answer = await shell.run(f"cd '{folder}' && : >file && ls -l file")
        assert answer.out.startswith("-rw-------")

    async def test_a_prelude_comes_before_every_script(self, transport: Transport) -> None:
        shell = Shell(transport, prelude="NEAR=here # not a secret\necho noise of the prelude")
        assert (await shell.run('echo "$NEAR"')).out == "here\n"
        assert (await shell.send('echo "$NEAR"; cat', _chunks(b"data"))).out == "here\ndata"

    async def test_big_data_arrive_as_they_were_sent(self, shell: Shell) -> None:
        data = random.randbytes(BIG)
        answer = await shell.send("sha256sum", _chunks(data))
        assert answer.out.split()[0] == hashlib.sha256(data).hexdigest()

    async def test_every_byte_survives_the_way_there_and_back(self, shell: Shell, folder: PurePosixPath) -> None:
        answer = await shell.send(f"cat >'{folder}/bytes'", _chunks(EVERY_BYTE))
        assert answer.code == 0
        assert await _all(shell.receive(f"cat '{folder}/bytes'")) == EVERY_BYTE

    async def test_big_output_comes_back_whole_and_the_script_reads_its_input(self, shell: Shell) -> None:
        data = random.randbytes(1024 * 1024)
        assert await _all(shell.receive("cat; printf end", data=data)) == data + b"end"
        assert len(await _all(shell.receive(f"head -c {BIG} /dev/zero"))) == BIG

    async def test_output_that_fails_in_the_middle_is_not_taken_for_complete(self, shell: Shell) -> None:
        with pytest.raises(OutcomeUnknown, match="exit code 3") as caught:
            await _all(shell.receive("echo first; echo trouble >&2; exit 3"))
        assert "trouble" in caught.value.says

    async def test_a_command_that_stops_reading_early_still_answers(self, shell: Shell) -> None:
        answer = await shell.send("head -c 5; exit 4", _endless())
        assert (answer.out, answer.code) == ("xxxxx", 4)

    async def test_the_failure_of_a_source_is_what_is_raised(self, shell: Shell) -> None:
        with pytest.raises(SourceFailed):
            await shell.send("cat >/dev/null", _failing())

    async def test_much_to_say_on_both_sides_at_once_does_not_block(self, shell: Shell) -> None:
        data = random.randbytes(BIG)
        answer = await shell.send("cat | od -An -v -tx1 | wc -c; cat /dev/null", _chunks(data[: 1024 * 1024]))
        assert answer.code == 0
        echoed = await shell.send("cat", _chunks(data))
        assert echoed.out.encode("utf-8", "surrogateescape") == data

    async def test_a_deadline_makes_the_outcome_unknown(self, shell: Shell) -> None:
        with pytest.raises(OutcomeUnknown, match="within"):
            await shell.run("sleep 600", within=0.3)
        assert (await shell.run("echo well")).out == "well\n"

    async def test_a_transfer_that_stands_still_is_given_up(self, shell: Shell) -> None:
        with pytest.raises(OutcomeUnknown, match="still"):
            await shell.send("sleep 600", _endless(), idle=0.3)
        with pytest.raises(OutcomeUnknown, match="still"):
            await _all(shell.receive("echo first; sleep 600", idle=0.3))

    async def test_a_cancelled_command_ends_and_what_it_detached_lives_on(
        self, shell: Shell, folder: PurePosixPath
    ) -> None:
        script = f"""cd '{folder}'
        setsid sh -c 'echo $$ >detached; exec sleep 600' </dev/null >/dev/null 2>&1 &
        sh -c 'echo $$ >child; exec sleep 600'"""
        running = asyncio.create_task(shell.run(script))
        await shell.run(f"cd '{folder}'; until [ -s detached ] && [ -s child ]; do sleep 0.02; done")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        state = f"ps -o stat= -p $(cat '{folder}/child')"
        gone = f'while :; do case $({state}) in ""|Z*) exit 0;; esac; sleep 0.02; done'
        assert (await shell.run(gone, within=20)).code == 0
        assert (await shell.run(f"kill $(cat '{folder}/detached')")).code == 0

    async def test_many_at_once_all_get_their_own_answer(self, shell: Shell) -> None:
        answers = await asyncio.gather(*(shell.run(f"echo {number}; sleep 0.05") for number in range(40)))
        assert [answer.out for answer in answers] == [f"{number}\n" for number in range(40)]

    async def test_transfers_leave_room_for_questions(self, shell: Shell) -> None:
        async with asyncio.TaskGroup() as group:
            transfers = [group.create_task(shell.send("cat >/dev/null", _endless())) for _ in range(8)]
            assert (await shell.run("echo meanwhile", within=20)).out == "meanwhile\n"
            for transfer in transfers:
                transfer.cancel()

    async def test_leaving_a_stream_early_frees_its_session(self, transport: Transport) -> None:
        shell = Shell(transport, sessions=1)
        async with aclosing(shell.receive("cat /dev/zero")) as stream:
            async for _ in stream:
                break
        assert (await shell.run("echo free", within=20)).out == "free\n"

    async def test_a_child_left_behind_with_our_streams_is_not_waited_for(self, shell: Shell) -> None:
        answer = await shell.run("sleep 600 & echo $!", within=20)
        assert answer.code == 0
        await shell.run(f"kill {answer.out.strip()}")

    async def test_a_channel_tells_its_end_once_and_closes_twice(self, transport: Transport) -> None:
        channel = await transport.open(FROM_STDIN)
        await channel.write(b"echo out; echo err >&2; exit 9\n")
        await channel.end()
        heard = b""
        while chunk := await channel.read():
            heard += chunk
        assert (heard, await channel.wait()) == (b"out\n", (9, b"err\n"))
        assert await channel.read() == b""
        await channel.close()
        await channel.close()

    async def test_a_check_names_the_account_and_the_clock(self, transport: Transport) -> None:
        found = {check.name: check for check in await transport.check()}
        assert found["account"].ok
        assert found["clock"].ok


async def _chunks(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 65536


async def _failing() -> AsyncIterator[bytes]:
    yield b"x" * 65536
    raise SourceFailed


async def _all(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in stream])
