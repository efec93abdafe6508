"""What stores answer when something is wrong, through the real library, from a server that says it."""

import json
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pytest

from howdah.activities.storage import Source
from howdah.activities.storage.aws_profile import profile
from howdah.activities.storage.objects import ObjectStorage
from howdah.errors import CredentialsRefused, DataError, SiteError, SiteUnreachable
from howdah.models.causes import FailureCause
from tests.storage.http_server import Page, Web, serving
from tests.storage.object_servers import SECRET, Store

ACCOUNT_KEY = "Y2FuYXJ5LW9mLWFuLWFjY291bnQta2V5"


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    with serving() as web:
        for name, value in Store(web.port).environment.items():
            monkeypatch.setenv(name, value)
        yield web


def error_page(status: int, code: str, message: str = "Words of the store") -> Page:
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>' if code else ""
    return Page(body.encode(), status=status)


@pytest.mark.parametrize(
    ("status", "code", "kind", "cause"),
    [
        (503, "SlowDown", SiteUnreachable, FailureCause.SITE_UNREACHABLE),
        (500, "InternalError", SiteUnreachable, FailureCause.SITE_UNREACHABLE),
        (502, "", SiteUnreachable, FailureCause.SITE_UNREACHABLE),
        (429, "TooManyRequests", SiteUnreachable, FailureCause.SITE_UNREACHABLE),
        (403, "InvalidAccessKeyId", CredentialsRefused, FailureCause.CREDENTIALS),
        (403, "RequestTimeTooSkewed", CredentialsRefused, FailureCause.CREDENTIALS),
        (400, "ExpiredToken", CredentialsRefused, FailureCause.CREDENTIALS),
        (401, "", CredentialsRefused, FailureCause.CREDENTIALS),
        (403, "AccessDenied", DataError, FailureCause.TRANSFER),
        (403, "", DataError, FailureCause.TRANSFER),
        (403, "QuotaExceeded", DataError, FailureCause.QUOTA),
        (507, "InsufficientStorage", DataError, FailureCause.QUOTA),
        (404, "NoSuchKey", DataError, FailureCause.INPUT_MISSING),
        (404, "NoSuchBucket", DataError, FailureCause.INPUT_MISSING),
        (412, "PreconditionFailed", DataError, FailureCause.INPUT_CHANGED),
        (400, "SomethingElse", DataError, FailureCause.TRANSFER),
    ],
)
async def test_each_answer_has_a_meaning(
    web: Web, status: int, code: str, kind: type[SiteError], cause: FailureCause
) -> None:
    web.pages["/bucket/a"] = error_page(status, code)
    with pytest.raises(kind) as caught:
        _ = [chunk async for chunk in ObjectStorage().read(Source("a", "s3://bucket/a", version='"1"'))]
    assert caught.value.cause is cause
    assert "s3://bucket/a" in caught.value.message
    assert "http://" not in caught.value.message


async def test_the_words_of_the_store_are_passed_on_without_secrets(web: Web) -> None:
    message = f"Not for you: {SECRET} at http://x/y?X-Amz-Signature=canary"
    web.pages["/bucket/a"] = error_page(403, "AccessDenied", message)
    with pytest.raises(DataError) as caught:
        await ObjectStorage().find("s3://bucket/a", "a")
    assert "403 AccessDenied: Not for you: ***" in caught.value.message
    assert "canary" not in caught.value.message


@pytest.mark.parametrize("name", ["credentials", "redirect", "NoSuchBucket", "NotImplemented", "status code: 403"])
async def test_names_of_objects_are_not_taken_for_words_of_the_store(web: Web, name: str) -> None:
    web.pages[f"/bucket/{quote(name)}"] = error_page(503, "")
    with pytest.raises(SiteUnreachable, match="503"):
        await ObjectStorage().find(f"s3://bucket/{name}", "a")


async def test_an_object_that_is_cut_off_is_tried_again(web: Web) -> None:
    web.pages["/bucket/a"] = Page(b"half", promised=8, headers={"Last-Modified": "Sun, 22 Nov 2026 01:03:11 GMT"})
    with pytest.raises(SiteUnreachable):
        _ = [chunk async for chunk in ObjectStorage().read(Source("a", "s3://bucket/a"))]


@pytest.mark.parametrize(
    ("address", "variable", "environment"),
    [
        ("s3://bucket/a", "AWS_ACCESS_KEY_ID", {"AWS_METADATA_ENDPOINT": "{url}"}),
        ("az://container/a", "AZURE_STORAGE_ACCOUNT_NAME", {}),
        (
            "gs://bucket/a",
            "GOOGLE_APPLICATION_CREDENTIALS",
            {"GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent/credentials.json"},
        ),
    ],
)
async def test_without_credentials_the_variables_are_named(
    web: Web,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    address: str,
    variable: str,
    environment: dict[str, str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(url=web.url("")))
    with pytest.raises(CredentialsRefused) as caught:
        await ObjectStorage().find(address, "a")
    assert variable in caught.value.hint


async def test_an_azure_account_without_its_server_is_unreachable_and_keeps_its_key(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AZURE_STORAGE_ACCOUNT_NAME": "account",
        "AZURE_STORAGE_ACCOUNT_KEY": ACCOUNT_KEY,
        "AZURE_ENDPOINT": web.url(""),
        "AZURE_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    web.pages["/container/a"] = error_page(403, "AuthenticationFailed", f"Not {ACCOUNT_KEY}")
    with pytest.raises(CredentialsRefused) as caught:
        await ObjectStorage().find("az://container/a", "a")
    assert "AZURE_STORAGE_ACCOUNT_KEY" in caught.value.hint
    assert ACCOUNT_KEY not in caught.value.message


def test_keys_of_the_aws_command_line_are_used_when_the_environment_has_none(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = A\naws_secret_access_key = B%\n[lab]\naws_access_key_id = C\n"
        "aws_secret_access_key = D\naws_session_token = E\n"
    )
    (tmp_path / ".aws" / "config").write_text("[default]\nregion = r1\n[profile lab]\nendpoint_url = https://x\n")
    assert profile({}, tmp_path) == {"access_key_id": "A", "secret_access_key": "B%", "region": "r1"}
    assert profile({"AWS_PROFILE": "lab"}, tmp_path) == {
        "access_key_id": "C",
        "secret_access_key": "D",
        "session_token": "E",
        "endpoint": "https://x",
    }
    assert profile({"AWS_ACCESS_KEY_ID": "Z", "AWS_REGION": "r2"}, tmp_path) == {}
    assert profile({"AWS_PROFILE": "nobody"}, tmp_path) == {}
    (tmp_path / ".aws" / "credentials").write_text("nonsense")
    assert profile({}, tmp_path) == {"region": "r1"}
    assert profile({}, tmp_path / "nowhere") == {}


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_a_store_that_knows_no_conditions_is_written_to_after_a_look(web: Web) -> None:
    """Some answer 501 to a conditional PUT."""
    web.pages["/bucket/a"] = Page(status=404)
    web.puts = [error_page(501, "NotImplemented"), Page()]
    assert await ObjectStorage().write("s3://bucket/", "a", once(b"abc")) == "s3://bucket/a"
    assert [(method, path) for method, path, _ in web.asked] == [("HEAD", "/bucket/a"), *[("PUT", "/bucket/a")] * 2]


async def test_google_is_asked_with_conditions_too(web: Web, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """There is no server of theirs to run here: what is said to it is looked at instead."""
    account = {"gcs_base_url": web.url(""), "disable_oauth": True, "client_email": "", "private_key": ""}
    (tmp_path / "account.json").write_text(json.dumps({**account, "private_key_id": ""}))
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(tmp_path / "account.json"))
    monkeypatch.setenv("GOOGLE_ALLOW_HTTP", "true")
    storage = ObjectStorage("pi/main")
    web.puts = [Page(), Page()]
    web.pages["/bucket/a"] = Page(status=404)
    assert await storage.write("gs://bucket", "a", once(b"abc")) == "gs://bucket/a"
    dated = {"Last-Modified": "Sun, 22 Nov 2026 01:03:11 GMT", "ETag": '"1"', "x-goog-generation": "77"}
    web.pages["/bucket/a"] = Page(b"abc", headers={**dated, "x-goog-meta-howdah-owner": "pi/main"})
    assert await storage.write("gs://bucket", "a", once(b"abcd")) == "gs://bucket/a"
    first, second = web.told
    assert first["x-goog-if-generation-match"] == "0"
    assert second["x-goog-if-generation-match"] == "77"
    assert first["x-goog-meta-howdah-owner"] == "pi/main"
    assert first["x-goog-meta-howdah-sha256"] == sha256(b"abc").hexdigest()
    [source] = await storage.find("gs://bucket/a", "a")
    assert b"".join([chunk async for chunk in storage.read(source)]) == b"abc"
    assert await storage.ticket(source) is None
