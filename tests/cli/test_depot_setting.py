"""Where the depot is: the variable, else the first file that says so."""

from pathlib import Path

import pytest

from howdah.cli.inputs import check_depot
from howdah.config import load_depot
from howdah.errors import ConfigError
from tests.cli.answer import Howdah
from tests.cli.conftest import SITES


def test_there_is_no_depot_by_default(project: Path) -> None:
    assert load_depot() is None


def test_the_variable_wins_over_the_file_and_empty_means_none(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "sites.toml").write_text(f'depot = "s3://bucket/depot/"\n{SITES}')
    assert load_depot() == "s3://bucket/depot"
    monkeypatch.setenv("HOWDAH_DEPOT", "/shared/depot/")
    assert load_depot() == "/shared/depot"
    monkeypatch.setenv("HOWDAH_DEPOT", "")
    assert load_depot() is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [("~/depot", "{home}/depot"), ("/a/../b", "/b"), ("file:///a/b%20c", "/a/b c"), ("gs://bucket", "gs://bucket")],
)
def test_a_depot_is_a_folder_or_a_url(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: str, meant: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HOWDAH_DEPOT", written)
    assert load_depot() == meant.replace("{home}", str(tmp_path))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("depot", "not an absolute path"),
        ("http://example.org/x", "nothing can be stored at http://"),
        ("nfs://host/x", "nothing can be stored at nfs://"),
        ("s3://key:secret@bucket/x", "without user name"),
        ("s3://bucket/x?token=1", "without user name"),
        ("a\nb", "must be a text"),
        ("s3://", "names no bucket"),
        ("s3:///x", "names no bucket"),
        ("s3://[x", "not a valid URL"),
        ("file://host/x", "folder of another machine"),
    ],
)
def test_what_cannot_be_a_depot_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, written: str, said: str
) -> None:
    monkeypatch.setenv("HOWDAH_DEPOT", written)
    with pytest.raises(ConfigError, match=said) as refused:
        load_depot()
    assert "secret" not in refused.value.message + refused.value.hint


def test_a_depot_below_a_site_is_said_to_be_in_the_wrong_place(project: Path, howdah: Howdah) -> None:
    (project / "sites.toml").write_text(f'{SITES}\ndepot = "/shared"\n')
    told = howdah("start", "experiment.yaml", "--dry-run", "--json")
    assert told.code == 2
    assert "above the first [sites...]" in told.error["hint"]


def test_a_dry_run_tells_where_inputs_and_results_would_go(
    project: Path, howdah: Howdah, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOWDAH_DEPOT", "s3://bucket/depot")
    here = howdah("start", "experiment.yaml", "--dry-run", "--json").json
    assert here["depot"] is None, "the embedded workers see this machine's files"
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    (project / "more").mkdir()
    (project / "more" / "a").write_bytes(b"x" * 2000)
    (project / "more" / "b").write_bytes(b"x" * 91)
    asked = ("start", "experiment.yaml", "--dry-run", "--set", "inputs=[pi.py, more]")
    away = howdah(*asked, "--json").json
    assert (away["depot"], away["results"]) == ("s3://bucket/depot", "s3://bucket/depot/results/pi-<id>")
    assert (away["files"], away["size"]) == (3, 2100)
    text = howdah(*asked).out
    assert "3 files, 2.1 KiB" in text and "s3://bucket/depot" in text
    own = howdah(*asked, "--set", "results=s3://mine/x", "--json").json
    assert own["results"] == "s3://mine/x"


def test_results_must_go_where_something_can_be_stored(project: Path, howdah: Howdah) -> None:
    told = howdah("start", "experiment.yaml", "--dry-run", "--set", "results=https://example.org/x", "--json")
    assert told.error["problems"] == ["--set results=https://example.org/x: results: nothing can be stored at https://"]


def test_a_depot_that_cannot_even_be_looked_at_is_not_there() -> None:
    with pytest.raises(ConfigError, match="is not there"):
        check_depot("/" + "x" * 300)
