"""Where data may come from and go to, narrowed by whoever runs the worker."""

from pathlib import Path

import pytest

from howdah.activities.staging.local_file import LocalFile
from howdah.activities.storage.allowed import ALLOW_DATA, check_allowed, permits
from howdah.activities.storage.file import FileStorage
from howdah.errors import DataError
from howdah.models.causes import FailureCause

PLACES = ["/data/shared", "s3://lab/", "s3://other/in", "https://data.example.org/", "http://10.0.0.1:8080/a/"]


@pytest.mark.parametrize(
    "address",
    [
        "/data/shared",
        "/data/shared/a/b",
        "/data/./shared//a",
        "s3://lab",
        "s3://lab/a",
        "S3://lab/a",
        "s3://other/in",
        "s3://other/in/a",
        "s3://other/in/..a",
        "https://data.example.org",
        "https://data.example.org/a?b=/../c",
        "https://DATA.example.org:443/a",
        "https://data.example.org./a",
        "http://10.0.0.1:8080/a/b",
    ],
)
def test_what_is_one_of_the_places_or_below_is_allowed(address: str) -> None:
    assert permits(PLACES, address)


@pytest.mark.parametrize(
    "address",
    [
        "/data",
        "/data/sharedother",
        "/data/shared/../../etc/passwd",
        "data/shared/a",
        "s3://laboratory/a",
        "s3://lab-2/a",
        "s3://lab/../other/secret",
        "s3://other/input",
        "s3://other/in/../secret",
        "gs://lab/a",
        "http://data.example.org/a",
        "https://data.example.org:8443/a",
        "https://data.example.org.evil.org/a",
        "https://data.example.org@evil.org/a",
        "https://evil.org/https://data.example.org/",
        "http://10.0.0.1:8080//a/b",
        "http://10.0.0.1:8080/a/../b",
        "http://10.0.0.1:8080/a/%2e%2e/b",
        "http://10.0.0.1:8080/a/%252e%252e/b",
        "http://10.0.0.1:8080/a/..;x=1/b",
        "http://10.0.0.1:8080/a/..\\b",
        "http://10.0.0.1:8080/a/..%5Cb",
        "http://10.0.0.1:8080?q/a/b",
        "http://10.0.0.1:8080#q/a/b",
        "http://10.0.0.1:8080/ab",
        "http://10.0.0.1:99999999/a",
        "https://[::1/a",
        "",
    ],
)
def test_all_else_is_not(address: str) -> None:
    assert not permits(PLACES, address)


def test_without_the_setting_everything_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ALLOW_DATA, raising=False)
    check_allowed("/etc/passwd")


def test_an_empty_setting_allows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW_DATA, " , ")
    with pytest.raises(DataError):
        check_allowed("/etc/passwd")


def test_a_path_counts_where_it_really_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, outside = tmp_path / "in side", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (tmp_path / "link").symlink_to(inside)
    (inside / "way out").symlink_to(outside)
    monkeypatch.setenv(ALLOW_DATA, f"s3://lab/, {tmp_path}/link")
    for allowed in (inside / "a", tmp_path / "link" / "a", f"file://{tmp_path}/in%20side/a", outside / "../link/a"):
        check_allowed(str(allowed))
    for other in (outside, inside / "way out" / "a", inside / "../outside/a", f"file://{tmp_path}/link/%2e%2e/outside"):
        with pytest.raises(DataError) as caught:
            check_allowed(str(other))
        assert caught.value.cause is FailureCause.CONFIGURATION
        assert ALLOW_DATA in caught.value.hint


def test_a_refusal_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW_DATA, "/data")
    for address in ("https://example.org/a?signature=canary", "https://user:canary@example.org/a"):
        with pytest.raises(DataError) as caught:
            check_allowed(address)
        assert "canary" not in caught.value.message


@pytest.mark.parametrize("address", ["https://[::1/x", "https://\u2100/x", "file://[x/etc", "file:///data/a%00b"])
def test_what_is_no_address_at_all_is_refused_like_any_other(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv(ALLOW_DATA, "/data,https://data.example.org/")
    with pytest.raises(DataError, match="not among the places"):
        check_allowed(address)


async def test_a_folder_that_becomes_a_link_after_it_was_looked_at_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside / "a", outside):
        folder.mkdir(parents=True)
        (folder / "file").write_text("canary")
    monkeypatch.setenv(ALLOW_DATA, str(inside))
    storage = FileStorage()
    [source] = await storage.find(str(inside / "a"), "a")
    LocalFile(source.address).close()
    (inside / "a").rename(inside / "b")
    (inside / "a").symlink_to(outside)
    with pytest.raises(DataError, match="not among the places"):
        [chunk async for chunk in storage.read(source)]
    with pytest.raises(DataError, match="not among the places"):
        LocalFile(source.address)
