"""Logs stay small under the feet of who writes them."""

import os
from pathlib import Path

import pytest

from howdah.workers.embedded import logs


def test_a_log_that_grew_too_large_is_put_aside_while_its_writer_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LARGEST", 10)
    path = tmp_path / "server.log"
    writer = logs.open_log(path)
    os.write(writer, b"old line that is long\n")
    logs.rotate(path)
    os.write(writer, b"new\n")
    os.close(writer)
    assert path.read_text() == "new\n"
    assert (tmp_path / "server.log.1").read_text() == "old line that is long\n"
    logs.rotate(path)
    assert path.read_text() == "new\n"


def test_of_a_log_that_is_removed_nothing_stays(tmp_path: Path) -> None:
    path = tmp_path / "workflows-0.2.0-aaaaaaaa.log"
    for file in (path, path.with_suffix(".log.1"), tmp_path / "workflows-0.2.0-bbbbbbbb.log"):
        file.touch()
    logs.remove_log(path)
    logs.remove_log(path)
    assert [file.name for file in tmp_path.iterdir()] == ["workflows-0.2.0-bbbbbbbb.log"]


def test_the_tail_is_the_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    assert logs.tail(path) == ""
    path.write_text("\n".join(str(number) for number in range(10_000)))
    assert logs.tail(path, lines=2) == "9998\n9999"
