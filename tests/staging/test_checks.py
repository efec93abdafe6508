"""What the client sees before anything starts."""

from pathlib import Path

import pytest

from howdah.activities.staging import check_inputs, check_outputs, stage_in
from howdah.activities.transports.shell import Shell
from howdah.models.spec import ExperimentSpec
from tests.staging.house import SMALL, House, silent
from tests.storage.http_server import Page, serving


def spec(**fields: object) -> ExperimentSpec:
    return ExperimentSpec.model_validate({"name": "t", "command": "true", **fields})


def test_each_bad_input_is_one_line_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("1")
    (tmp_path / "folder").mkdir()
    inputs = [
        "there",
        "folder",
        "missing.dat",
        {"text": "x", "to": "t"},
        "https://example.org/x",
        "gs3://bucket/y",
        {"from": "folder", "to": "again", "sha256": "0" * 64},
        "/dev/null",
        f"file://{tmp_path}/nothing",
    ]
    assert check_inputs(spec(inputs=inputs), tmp_path) == [
        f"inputs[2]: no such file: {tmp_path}/missing.dat",
        "inputs[5]: nothing is known to fetch gs3://; known: az://, file://, gs://, http://, https://, rclone://, s3://",
        f"inputs[6]: is a folder, and a sha256 can be given for a file only: {tmp_path}/folder",
        "inputs[7]: is neither a file nor a folder: /dev/null",
        f"inputs[8]: no such file: {tmp_path}/nothing",
    ]


def test_an_input_that_cannot_be_looked_for_is_told_as_well(tmp_path: Path) -> None:
    inputs = ["file:///a%00b", "file://[x/c", {"from": "~nobody-of-that-name/d", "to": "d"}]
    assert check_inputs(spec(inputs=inputs), tmp_path) == [
        r"inputs[0]: cannot be read: /a\x00b: embedded null byte",
        "inputs[1]: is not a valid URL: file://[x/c",
        "inputs[2]: nobody here has the home folder of '~nobody-of-that-name/d'",
    ]


def test_each_bad_output_is_one_line_with_its_place() -> None:
    outputs = ["a", {"path": "b", "to": "file:///x"}, {"path": "c", "to": "gs3://x"}, {"path": "d", "to": "http://x/"}]
    assert check_outputs(spec(outputs=outputs)) == [
        "outputs[2]: nothing is known to store gs3://; known: az://, file://, gs://, rclone://, s3://",
        "outputs[3]: nothing can be stored at http://; known: az://, file://, gs://, rclone://, s3://",
    ]


async def test_inputs_from_the_web_arrive_with_and_without_a_known_size(
    house: House, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOWDAH_ALLOW_HOSTS", "127.0.0.1")
    with serving() as web:
        web.pages = {"/small": Page(b"s"), "/big": Page(b"b" * 5000), "/unknown": Page(b"u" * 5000, promised=-1)}
        names = ["small", "big", "unknown"]
        attempt = house.attempt([web.url(f"/{name}?x=1") for name in names])
        first = await stage_in(shell, attempt, tell=silent, sizes=SMALL)
        again = await stage_in(shell, attempt, tell=silent, sizes=SMALL)
    assert [(house.folder / name).read_bytes() for name in names] == [b"s", b"b" * 5000, b"u" * 5000]
    assert (first.files, first.skipped, first.bytes) == (3, 0, 10001)
    assert (again.files, again.skipped, again.bytes) == (3, 3, 10001)
