"""Every login shell must read our two forms of a command alike."""

import asyncio
import shutil
import subprocess

import pytest

from howdah.activities.transports.framing import FROM_STDIN, Frame

SHELLS = [name for name in ("sh", "bash", "dash", "csh", "tcsh", "zsh", "fish", "ksh", "mksh") if shutil.which(name)]
"""Debian packages: bash dash csh tcsh zsh fish ksh mksh."""
TEXT = 'it\'s "all" $HOME `id` ! * ~ é\n' * 200


@pytest.mark.parametrize("login_shell", SHELLS)
async def test_a_script_on_standard_input_is_answered_in_its_frame(login_shell: str) -> None:
    frame = Frame.fresh()
    heard = await _run(login_shell, FROM_STDIN, frame.script(f"cat <<'EOT'\n{TEXT}EOT\nexit 3"))
    reader = frame.reader()
    assert (reader.feed(heard).decode(), reader.code) == (TEXT, 3)


@pytest.mark.parametrize("login_shell", SHELLS)
async def test_a_script_in_the_command_reads_the_data_behind_the_key(login_shell: str) -> None:
    frame = Frame.fresh()
    command = frame.command(f"cat; cat <<'EOT'\n{TEXT * 6}EOT\nexit 4")
    heard = await _run(login_shell, command, frame.key + b"data\n")
    reader = frame.reader()
    assert (reader.feed(heard).decode(), reader.code) == ("data\n" + TEXT * 6, 4)


async def _run(login_shell: str, command: str, said: bytes) -> bytes:
    done = await asyncio.to_thread(subprocess.run, [login_shell, "-c", command], input=said, capture_output=True)
    return done.stdout
