"""Object stores, as sources and destinations, against real servers."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from howdah.activities.storage import Source, objects, uploading
from howdah.activities.storage.objects import ObjectStorage
from howdah.errors import CredentialsRefused, DataError, SiteError, SiteUnreachable
from howdah.models.causes import FailureCause
from howdah.plugins import load, storage_for
from tests.storage.object_servers import BUCKET, KEY, SECRET, Store, moto_store, rclone_store


@pytest.fixture(scope="module")
def rclone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with rclone_store(tmp_path_factory.mktemp("rclone")) as store:
        yield store


@pytest.fixture(scope="module")
def moto_server() -> Iterator[Store]:
    with moto_store() as store:
        yield store


def use(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    return store


@pytest.fixture
def rclone(rclone_server: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    return use(rclone_server, monkeypatch)


@pytest.fixture
def moto(moto_server: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    return use(moto_server, monkeypatch)


@pytest.fixture(params=["rclone", "moto"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    return use(request.getfixturevalue(f"{request.param}_server"), monkeypatch)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that little data takes every way. S3 wants 5 MiB in all parts but the last."""
    monkeypatch.setattr(objects, "SINGLE", 1 << 20)
    monkeypatch.setattr(uploading, "PART", 5 << 20)


@pytest.fixture
def home(request: pytest.FixtureRequest) -> str:
    """A prefix of this test's own."""
    return f"s3://{BUCKET}/{sha256(request.node.name.encode()).hexdigest()[:12]}"


def key(home: str) -> str:
    return home.rpartition("/")[2]


async def chunks(data: bytes, size: int = 1 << 20) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def content(source: Source, start: int = 0) -> bytes:
    return b"".join([chunk async for chunk in ObjectStorage().read(source, start)])


async def put(home: str, path: str, data: bytes, owner: str = "") -> str:
    return await ObjectStorage(owner).write(home, path, chunks(data), sha256=sha256(data).hexdigest())


def test_the_schemes_of_object_stores_have_a_driver() -> None:
    for scheme in ("s3", "gs", "az"):
        kind = storage_for(scheme)
        assert kind
        assert kind.writable
        assert isinstance(load(kind.driver)(), ObjectStorage)


ODD = [
    "a",
    "with blank",
    "quote'\"s",
    "per%20cent",
    "ümläut",
    "-rf",
    "glob*?[x]",
    "back\\slash",
    "$(id)`id`",
    "a+b&c=d",
]


async def test_files_with_odd_names_go_there_and_back(store: Store, home: str) -> None:
    wanted = {f"deep/{name}/{name}": os.urandom(100) for name in ODD}
    for path, data in wanted.items():
        assert await put(home, path, data) == f"{home}/{path}"
    found = await ObjectStorage().find(f"{home}/deep", "in")
    assert {source.path: await content(source) for source in found} == {
        f"in/{path.removeprefix('deep/')}": data for path, data in wanted.items()
    }
    for path, data in wanted.items():
        [source] = await ObjectStorage().find(f"{home}/{path}", "x")
        assert (source.path, source.size) == ("x", 100)
        assert await content(source) == data


async def test_a_large_object_goes_in_parts_and_is_read_from_the_middle(store: Store, home: str) -> None:
    data = os.urandom((16 << 20) + 500_001)
    await put(home, "large", data)
    [source] = await ObjectStorage().find(f"{home}/large", "large")
    assert source.size == len(data)
    assert source.version
    assert await content(source) == data
    assert await content(source, 7_000_000) == data[7_000_000:]
    assert await content(source, len(data)) == b""
    assert await ObjectStorage().sha256(home, "large") == sha256(data).hexdigest()


async def test_an_empty_object_is_an_empty_file(store: Store, home: str) -> None:
    await put(home, "empty", b"")
    [source] = await ObjectStorage().find(f"{home}/empty", "empty")
    assert (source.size, source.folder) == (0, False)
    assert await content(source) == b""


async def test_what_is_not_there_is_a_missing_input(store: Store, home: str) -> None:
    for address in (f"{home}/nothing", f"{home}/nothing/", "s3://no-such-bucket/a"):
        with pytest.raises(DataError) as caught:
            await ObjectStorage().find(address, "a")
        assert caught.value.cause is FailureCause.INPUT_MISSING
    with pytest.raises(DataError) as caught:
        await content(Source("a", f"{home}/nothing"))
    assert caught.value.cause is FailureCause.INPUT_MISSING
    assert await ObjectStorage().sha256(home, "nothing") is None


async def test_a_bucket_that_is_not_there_is_named_when_outputs_go_to_it(store: Store) -> None:
    with pytest.raises(DataError, match="no bucket 'no-such-bucket'"):
        await put("s3://no-such-bucket/a", "b", b"x")


async def test_the_same_sum_answers_a_retry(store: Store, home: str) -> None:
    await put(home, "a", b"abc")
    assert await ObjectStorage().sha256(home, "a") == sha256(b"abc").hexdigest()
    await put(home, "a", b"abc")


async def test_links_are_not_known(store: Store, home: str) -> None:
    assert await ObjectStorage().make(home, "a", "b") is None
    assert await ObjectStorage().make(home, "a", None) is None


@pytest.mark.parametrize("size", [10, 3_000_000])
async def test_what_others_stored_is_not_overwritten(store: Store, home: str, size: int) -> None:
    await put(home, "a", b"theirs", owner="theirs/main")
    with pytest.raises(DataError, match="is there already") as caught:
        await put(home, "a", os.urandom(size), owner="ours/main")
    assert "howdah retry" in caught.value.hint
    assert await content(Source("a", f"{home}/a")) == b"theirs"


@pytest.mark.parametrize("size", [10, 3_000_000])
async def test_what_we_stored_ourselves_is_replaced(store: Store, home: str, size: int) -> None:
    await put(home, "a", b"first", owner="ours/main")
    data = os.urandom(size)
    await put(home, "a", data, owner="ours/main")
    assert await content(Source("a", f"{home}/a")) == data


async def test_the_same_content_from_somebody_else_is_good(moto: Store, home: str) -> None:
    data = os.urandom(3_000_000)
    moto.put(BUCKET, f"{key(home)}/a", data)
    moto.put(BUCKET, f"{key(home)}/b", b"abc")
    await put(home, "a", data, owner="ours/main")
    await put(home, "b", b"abc", owner="ours/main")


async def test_of_two_writers_at_once_one_loses(moto: Store, home: str) -> None:
    """Both look, see nothing, and write: the store decides."""
    results = await asyncio.gather(
        *(put(home, "a", bytes([n]), owner=f"x{n}") for n in range(8)), return_exceptions=True
    )
    stored = await content(Source("a", f"{home}/a"))
    assert [result for result in results if isinstance(result, str)] == [f"{home}/a"]
    assert results[stored[0]] == f"{home}/a"
    assert all(isinstance(result, SiteError) for result in results if not isinstance(result, str))


async def test_a_large_object_that_somebody_stores_meanwhile_is_not_overwritten(moto: Store, home: str) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield bytes(3_000_000)
        moto.put(BUCKET, f"{key(home)}/a", b"theirs")
        yield bytes(3_000_000)

    with pytest.raises(SiteUnreachable, match="meanwhile"):
        await ObjectStorage("ours/main").write(home, "a", slow())
    assert await content(Source("a", f"{home}/a")) == b"theirs"
    assert no_parts(moto, home)


def no_parts(store: Store, home: str) -> bool:
    """No upload under way, of which nobody would know."""
    return f"<Key>{key(home)}/".encode() not in store.ask("GET", f"/{BUCKET}?uploads")[1]


class Broken(Exception):
    pass


async def test_an_upload_that_fails_leaves_nothing_behind(moto: Store, home: str) -> None:
    async def failing() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield bytes(uploading.PART // 2)
        raise Broken

    with pytest.raises(Broken):
        await ObjectStorage().write(home, "a", failing())
    assert await ObjectStorage().sha256(home, "a") is None
    assert no_parts(moto, home)


async def test_an_upload_that_is_cancelled_leaves_nothing_behind(moto: Store, home: str) -> None:
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield bytes(uploading.PART // 2)
        begun.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(ObjectStorage().write(home, "a", endless()))
    await begun.wait()
    assert not no_parts(moto, home)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    with pytest.raises(DataError):
        await ObjectStorage().find(f"{home}/a", "a")
    assert no_parts(moto, home)


async def test_an_upload_that_is_killed_leaves_nothing_under_the_final_name(moto: Store, home: str) -> None:
    code = f"""
import asyncio
from howdah.activities.storage.objects import ObjectStorage

async def endless():
    while True:
        yield bytes(1 << 20)

asyncio.run(ObjectStorage().write({home!r}, "a", endless()))
"""
    environment = {**os.environ, **moto.environment}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, env=environment)
    async with asyncio.timeout(60):
        while no_parts(moto, home):  # noqa: ASYNC110 - another process sends them
            await asyncio.sleep(0.02)
    process.kill()
    await process.wait()
    assert await ObjectStorage().sha256(home, "a") is None
    with pytest.raises(DataError):
        await ObjectStorage().find(f"{home}/a", "a")
    await put(home, "a", b"whole")
    assert await content(Source("a", f"{home}/a")) == b"whole"


@pytest.mark.parametrize("start", [0, 1])
async def test_an_object_that_changed_since_it_was_found_is_not_read(store: Store, home: str, start: int) -> None:
    await put(home, "a", b"before", owner="x")
    [source] = await ObjectStorage().find(f"{home}/a", "a")
    await put(home, "a", b"after!", owner="x")
    with pytest.raises(DataError) as caught:
        await content(source, start)
    assert caught.value.cause is FailureCause.INPUT_CHANGED


async def test_a_folder_is_all_below_it(moto: Store, home: str) -> None:
    for inner, data in {
        "d/": b"", "d/m/": b"", "d/n/": b"", "d/n/x": b"1", "d/e": b"", "d/y": b"22", "dd/z": b"3", "d.txt": b"4"
    }.items():  # fmt: skip
        moto.put(BUCKET, f"{key(home)}/{inner}", data)
    for address in (f"{home}/d", f"{home}/d/"):
        found = await ObjectStorage().find(address, "to")
        assert [(one.path, one.size, one.folder) for one in found] == [
            ("to/e", 0, False),
            ("to/m", 0, True),
            ("to/n/x", 1, False),
            ("to/y", 2, False),
        ]
    [only] = await ObjectStorage().find(f"{home}/d/m", "to")
    assert (only.path, only.folder) == ("to", True)


@pytest.mark.parametrize("odd", ["f/../../evil", "f//b", "f/./b", "f/" + "n" * 256])
async def test_objects_that_are_no_files_of_a_folder_are_refused_by_name(moto: Store, odd: str) -> None:
    bucket = f"odd-{sha256(odd.encode()).hexdigest()[:10]}"
    moto.ask("PUT", f"/{bucket}")
    moto.put(bucket, "f/fine", b"1")
    moto.put(bucket, odd, b"2")
    with pytest.raises(DataError) as caught:
        await ObjectStorage().find(f"s3://{bucket}/f", "to")
    assert odd.removeprefix("f/") in caught.value.message


async def test_what_is_an_object_and_a_folder_at_once_is_refused_by_name(moto: Store, home: str) -> None:
    for inner in ("f/a", "f/a/b"):
        moto.put(BUCKET, f"{key(home)}/{inner}")
    with pytest.raises(DataError, match="'a' is an object and a folder"):
        await ObjectStorage().find(f"{home}/f", "to")
    [source] = await ObjectStorage().find(f"{home}/f/a", "to")
    assert source.size == 1


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "a//b", "/a", "a/", "a/./b", "a\nb", "a\x7f", "caf\udce9", "n" * 1025, ""]
)
async def test_names_that_a_store_cannot_hold_are_refused(moto: Store, home: str, path: str) -> None:
    with pytest.raises(DataError):
        await put(home, path, b"x")


@pytest.mark.parametrize("address", ["s3://user:canary-pw@bucket/a", "s3://user@bucket/a", "s3:///a", "s3://b?x/a"])
async def test_a_url_that_is_not_plain_is_refused_without_its_secret(moto: Store, address: str) -> None:
    with pytest.raises(DataError) as caught:
        await ObjectStorage().find(address, "a")
    assert "canary-pw" not in caught.value.message


def secrets_in(error: SiteError) -> bool:
    return any(word in f"{error} {error.hint} {error.says}" for word in (SECRET, "wrong-secret", "X-Amz"))


async def test_wrong_credentials_are_named_as_such(rclone: Store, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await put(home, "a", b"x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret-0123456789abcdef0123456789")
    for work in (
        lambda: ObjectStorage().find(f"{home}/a", "a"),
        lambda: ObjectStorage().find(f"{home}/", "a"),
        lambda: content(Source("a", f"{home}/a")),
        lambda: put(home, "b", b"x"),
        lambda: put(home, "b", bytes(3_000_000)),
        lambda: ObjectStorage().sha256(home, "a"),
    ):
        with pytest.raises(CredentialsRefused) as caught:
            await work()
        assert "AWS_SECRET_ACCESS_KEY" in caught.value.hint
        assert not secrets_in(caught.value)


async def test_a_store_that_is_not_there_is_tried_again(
    moto: Store, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(SiteUnreachable, match="Connection refused") as caught:
        await ObjectStorage().find(f"{home}/a", "a")
    assert not secrets_in(caught.value)


async def test_a_signed_url_is_good_for_this_object_and_version_only(rclone: Store, home: str) -> None:
    await put(home, "a b", b"abc")
    storage = ObjectStorage()
    [source] = await storage.find(f"{home}/a b", "a")
    ticket = await storage.ticket(source)
    assert ticket
    assert (ticket.host, ticket.port) == ("127.0.0.1", rclone.port)
    assert dict(ticket.headers) == {"If-Match": source.version}
    async with httpx.AsyncClient() as client:
        assert (await client.get(ticket.url)).content == b"abc"
        assert (await client.get(ticket.url.replace(quote("a b"), "other"))).status_code == 403
        assert (await client.get(ticket.url.replace("X-Amz-Expires=3600", "X-Amz-Expires=9999"))).status_code == 403
        assert (await client.get(ticket.url.partition("?")[0])).status_code in (400, 403)


async def test_a_worker_that_cannot_sign_hands_out_no_ticket(moto: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    assert await ObjectStorage().ticket(Source("a", f"s3://{BUCKET}/a")) is None


async def test_public_data_need_no_credentials_and_get_no_ticket(
    moto: Store, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moto.ask("PUT", f"/{BUCKET}/{key(home)}/a", b"x", {"x-amz-acl": "public-read"})
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    [source] = await ObjectStorage().find(f"{home}/a", "a")
    assert await content(source) == b"x"
    assert await ObjectStorage().ticket(source) is None


async def test_the_files_of_the_aws_command_line_are_enough(
    rclone: Store, home: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(f"[lab]\naws_access_key_id={KEY}\naws_secret_access_key={SECRET}\n")
    endpoint = rclone.environment["AWS_ENDPOINT_URL"]
    (tmp_path / ".aws" / "config").write_text(f"[profile lab]\nregion=us-east-1\nendpoint_url={endpoint}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    await put(home, "a", b"abc")
    assert await content(Source("a", f"{home}/a")) == b"abc"


async def test_places_that_are_not_allowed_are_not_asked(
    moto: Store, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(home, "a", b"x")
    [source] = await ObjectStorage().find(f"{home}/a", "a")
    monkeypatch.setenv("HOWDAH_ALLOW_DATA", "s3://other/,/data")
    for work in (
        lambda: ObjectStorage().find(f"{home}/a", "a"),
        lambda: content(source),
        lambda: put(home, "b", b"x"),
        lambda: ObjectStorage().ticket(source),
    ):
        with pytest.raises(DataError, match="not among the places"):
            await work()
    monkeypatch.setenv("HOWDAH_ALLOW_DATA", home)
    assert await content(source) == b"x"


def certificate(folder: Path) -> tuple[Path, Path]:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    names = ["-subj", "/CN=store", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return key, certificate


async def test_a_store_with_a_certificate_of_its_own_is_trusted_only_when_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, trusted = await asyncio.to_thread(certificate, tmp_path)
    with rclone_store(tmp_path / "store", "--cert", str(trusted), "--key", str(key), scheme="https") as server:
        use(server, monkeypatch)
        monkeypatch.delenv("AWS_ALLOW_HTTP")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(trusted))
        await put(f"s3://{BUCKET}", "a", b"abc")
        assert await content(Source("a", f"s3://{BUCKET}/a")) == b"abc"
        monkeypatch.delenv("AWS_CA_BUNDLE")
        with pytest.raises(SiteUnreachable, match=r"ertificate"):
            await content(Source("a", f"s3://{BUCKET}/a"))


async def test_requests_without_tls_have_to_be_allowed(moto: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(DataError) as caught:
        await ObjectStorage().find(f"s3://{BUCKET}/a", "a")
    assert "AWS_ALLOW_HTTP" in caught.value.hint
