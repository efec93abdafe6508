"""The embedded server's command, version and ports."""

from pathlib import Path

import pytest

from howdah.errors import ConfigError
from howdah.workers.embedded.ports import free_port
from howdah.workers.embedded.processes import myself
from howdah.workers.embedded.server import (
    PRAGMAS,
    SETTINGS,
    choose_ports,
    cli_version,
    command,
    find_program,
    refuse_other_version,
    running_server,
)
from howdah.workers.state import Ports, Server, StateFolder, save


async def test_the_program_is_found_and_tells_its_version() -> None:
    assert (await cli_version(find_program()))[0].isdigit()


async def test_another_program_is_refused() -> None:
    with pytest.raises(ConfigError, match="not the Temporal CLI"):
        await cli_version("/bin/echo")


def test_the_command_listens_on_the_loopback_only_and_holds_every_setting() -> None:
    words = command("temporal", Path("/state/howdah.db"), Ports(frontend=1, ui=2))
    assert words[words.index("--ip") + 1] == "127.0.0.1"
    assert words[words.index("--db-filename") + 1] == "/state/howdah.db"
    assert set(PRAGMAS) | set(SETTINGS) < set(words)


def test_a_new_database_takes_the_version_at_hand_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    refuse_other_version(folder, "1.9.1")
    folder.database.touch()
    refuse_other_version(folder, "1.9.1")
    with pytest.raises(ConfigError, match=r"1\.9\.1"):
        refuse_other_version(folder, "1.10.0")
    folder.database.unlink()
    refuse_other_version(folder, "1.10.0")


def test_two_ports_that_differ_are_chosen_whatever_was_remembered() -> None:
    one = free_port()
    ports = choose_ports(Ports(frontend=one, ui=one))
    assert ports.frontend == one
    assert ports.ui != one


def test_a_server_that_was_noted_but_does_not_listen_is_not_running(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    assert running_server(folder) is None
    noted = Server(process=myself(), ports=Ports(frontend=free_port(), ui=1), cli="1")
    save(folder.server, noted.model_dump_json())
    assert running_server(folder) is None
    folder.server.write_text('{"half": ')
    assert running_server(folder) is None
    assert list(tmp_path.iterdir()) == [folder.server]
