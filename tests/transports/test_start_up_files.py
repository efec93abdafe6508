"""What people put into their ~/.bashrc. The server's `home` is private, so these are tried for real."""

from collections.abc import AsyncIterator

import pytest

from howdah.activities.transports.shell import Shell
from howdah.errors import ShellBroken, SiteUnreachable
from howdah.testing.sshd import PrivateSshd
from tests.transports.conftest import Connect, StartSshd

pytestmark = pytest.mark.sshd


async def _data() -> AsyncIterator[bytes]:
    yield b"first line\nsecond line\n"


def _with(server: PrivateSshd, start_up_file: str) -> PrivateSshd:
    (server.home / ".bashrc").write_text(start_up_file + "\n")
    return server


async def _received(shell: Shell) -> bytes:
    return b"".join([chunk async for chunk in shell.receive("cat", data=b"all of it")])


@pytest.mark.parametrize(
    "harmless",
    [
        "echo Welcome to the cluster; echo Quota: 97 percent >&2",
        "printf 'no line end'",
        "cd /tmp; umask 000; alias cat=false; LC_ALL=de_DE.UTF-8; set -u -e",
        "head -c 300000 /dev/zero | tr '\\0' 'x'",
        "trap 'echo bye' EXIT",
        "cat() { echo mine; }; export -f cat",
    ],
)
async def test_harmless_start_up_files_change_nothing(harmless: str, start_sshd: StartSshd, connect: Connect) -> None:
    shell = Shell(connect(_with(start_sshd(), harmless)))
    answer = await shell.run("pwd >/dev/null; printf 'x\\n' | cat; echo e >&2; exit 3")
    assert (answer.out, answer.code, answer.errors) == ("x\n", 3, "e\n")
    assert (await shell.send("cat", _data())).out == "first line\nsecond line\n"
    assert await _received(shell) == b"all of it"


@pytest.mark.parametrize("hostile", ["exit 0", "exec >&2", "exec cat >/dev/null", "cat >/dev/null", "exec sleep 0"])
async def test_hostile_start_up_files_are_a_permanent_mistake_and_never_an_answer(
    hostile: str, start_sshd: StartSshd, connect: Connect
) -> None:
    shell = Shell(connect(_with(start_sshd(), f"echo Careful now\n{hostile}")))
    with pytest.raises(ShellBroken, match=r"Careful now|said nothing") as caught:
        await shell.run("echo answer")
    assert "[[ $- != *i* ]] && return" in caught.value.hint
    with pytest.raises(ShellBroken):
        await shell.send("cat", _data())
    with pytest.raises(ShellBroken):
        await _received(shell)


async def test_a_start_up_file_that_reads_a_line_cannot_steal_data_unseen(
    start_sshd: StartSshd, connect: Connect
) -> None:
    shell = Shell(connect(_with(start_sshd(), "read x")))
    assert (await shell.run("echo answer")).out == "answer\n"
    with pytest.raises(ShellBroken):
        await shell.send("cat >/dev/null", _data())


async def test_a_start_up_file_that_never_stops_talking_is_noticed(start_sshd: StartSshd, connect: Connect) -> None:
    with pytest.raises(ShellBroken, match="goes on talking"):
        await Shell(connect(_with(start_sshd(), "yes"))).run("echo answer")


async def test_a_site_that_has_no_processes_left_is_asked_again_later(start_sshd: StartSshd, connect: Connect) -> None:
    noise = "echo 'bash: fork: retry: Resource temporarily unavailable' >&2; exit 254"
    with pytest.raises(SiteUnreachable, match="254"):
        await Shell(connect(_with(start_sshd(), noise))).run("echo answer")


async def test_noise_is_shown_by_a_check(start_sshd: StartSshd, connect: Connect) -> None:
    checks = {check.name: check for check in await connect(_with(start_sshd(), "echo Welcome")).check()}
    assert "Welcome" in checks["start-up files"].found
    assert checks["start-up files"].hint


async def test_a_mistake_in_the_prelude_is_a_permanent_mistake(sshd: PrivateSshd, connect: Connect) -> None:
    for prelude in ("exit 0", "if then", "exec true"):
        with pytest.raises(ShellBroken, match="prelude"):
            await Shell(connect(sshd), prelude=prelude).run("echo answer")
