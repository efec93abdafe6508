"""Which sites are served is written by clients and read by the supervisor."""

from datetime import timedelta
from pathlib import Path

import pytest

from howdah.config import LOCAL, this_machine
from howdah.errors import ConfigError, UnknownName
from howdah.models.sites import Limits, SlurmSite
from howdah.workers.embedded.served_sites import Changes, changes, definitions, read_site, write_sites
from howdah.workers.state import StateFolder, open_state_folder

BIGRED = SlurmSite(name="big.red", ssh="bigred", queue="debug", limits=Limits(poll=timedelta(seconds=7)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    monkeypatch.setenv("HOWDAH_STATE", str(tmp_path))
    return open_state_folder()


def test_a_site_comes_back_as_it_was_written(folder: StateFolder) -> None:
    write_sites(folder, [BIGRED])
    assert read_site(folder, "big.red") == BIGRED
    assert set(definitions(folder)) == {LOCAL, "big.red"}


def test_this_machine_is_served_untold_and_telling_so_changes_nothing(folder: StateFolder) -> None:
    before = definitions(folder)
    assert read_site(folder, LOCAL) == this_machine()
    write_sites(folder, [this_machine()])
    assert definitions(folder) == before


def test_a_half_written_or_strange_file_is_no_site(folder: StateFolder) -> None:
    (folder.sites / ".new.json.x").write_text("{")
    assert set(definitions(folder)) == {LOCAL}
    for text in ("{", "[]", "{}", '{"kind": "slurm", "nme": "x"}'):
        (folder.sites / "odd.json").write_text(text)
        with pytest.raises(ConfigError):
            read_site(folder, "odd")
    (folder.sites / "odd.json").write_text('{"kind": "abacus"}')
    with pytest.raises(UnknownName):
        read_site(folder, "odd")
    with pytest.raises(ConfigError):
        read_site(folder, "none")


def test_what_is_no_text_keeps_no_other_site_from_being_served(folder: StateFolder) -> None:
    write_sites(folder, [BIGRED])
    (folder.sites / "garbled.json").write_bytes(b'{"kind": "slurm", "name": "\xfc"}')
    (folder.sites / "folder.json").mkdir()
    assert set(definitions(folder)) == {LOCAL, "big.red", "garbled", "folder"}
    with pytest.raises(ConfigError):
        read_site(folder, "garbled")
    write_sites(folder, [BIGRED.model_copy(update={"name": "garbled"})])
    assert read_site(folder, "garbled").name == "garbled"


def test_what_is_new_starts_what_is_changed_restarts_and_what_is_gone_ends() -> None:
    running, wanted = {"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}
    assert changes(running, wanted) == Changes(frozenset("d"), frozenset("b"), frozenset("c"))
