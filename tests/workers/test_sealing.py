"""Values under lock: who has the key reads them, keys change while things run, who lacks one stands aside."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from howdah.errors import ConfigError, UnknownName
from howdah.workers.payloads import data_converter
from howdah.workers.security.keys import Keyring, add_key, keys_file, load_keyring, new_key, read_keys, use_key
from howdah.workers.security.protection import protect_embedded, protect_other, protection_of, refuse_unreadable
from howdah.workers.security.sealed import CannotUnseal, is_sealed
from howdah.workers.security.sealing import Sealing
from howdah.workers.security.signing_key import make_signing_key
from howdah.workers.state import StateFolder
from tests.workers.sealed_one import Sealed

SECRET = b"SECRET-canary"
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"' + SECRET + b'"')


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of keys, with one in it."""
    path = tmp_path / "keys.toml"
    monkeypatch.setenv("HOWDAH_KEYS", str(path))
    add_key(path, new_key())
    return path


def keyring() -> Keyring:
    found = load_keyring()
    assert found is not None
    return found


async def sealed(keys: Keyring, namespace: str = "n") -> Payload:
    (got,) = await Sealing(keys, namespace).encode([PLAIN])
    return got


async def opened(keys: Keyring, payload: Payload, namespace: str = "n") -> Payload:
    (got,) = await Sealing(keys, namespace).decode([payload])
    return got


async def test_a_sealed_value_is_legible_with_the_key_only(file: Path) -> None:
    payload = await sealed(keyring())
    assert is_sealed(payload)
    assert SECRET not in payload.SerializeToString()
    assert await opened(keyring(), payload) == PLAIN


async def test_the_same_value_is_never_sealed_the_same_way_twice(file: Path) -> None:
    assert (await sealed(keyring())).data != (await sealed(keyring())).data


async def test_a_value_of_another_namespace_cannot_be_opened(file: Path) -> None:
    with pytest.raises(CannotUnseal):
        await opened(keyring(), await sealed(keyring(), "n"), "other")


@pytest.mark.parametrize("place", [0, 13, -1])
async def test_a_value_that_was_changed_cannot_be_opened(file: Path, place: int) -> None:
    payload = await sealed(keyring())
    data = bytearray(payload.data)
    data[place] ^= 1
    payload.data = bytes(data)
    with pytest.raises(CannotUnseal):
        await opened(keyring(), payload)


async def test_a_value_that_is_cut_off_cannot_be_opened(file: Path) -> None:
    payload = await sealed(keyring())
    for length in (0, 5, 12, 20):
        payload.data = payload.data[:length]
        with pytest.raises(CannotUnseal):
            await opened(keyring(), payload)


async def test_the_id_of_the_key_cannot_be_exchanged(file: Path) -> None:
    keys = read_keys(file)
    payload = await sealed(keyring())
    payload.metadata["key-id"] = b"other"
    with pytest.raises(CannotUnseal):
        await opened(Keyring(file, [type(keys[0])("other", keys[0].secret)]), payload)


async def test_a_new_key_seals_and_the_old_one_still_opens(file: Path) -> None:
    before = await sealed(keyring())
    add_key(file, new_key())
    after = await sealed(keyring())
    assert before.metadata["key-id"] != after.metadata["key-id"]
    assert await opened(keyring(), before) == await opened(keyring(), after) == PLAIN


async def test_who_runs_already_learns_of_a_new_key_when_it_meets_it(file: Path) -> None:
    long_running = keyring()
    add_key(file, new_key())
    assert await opened(long_running, await sealed(keyring())) == PLAIN


async def test_a_key_that_only_opens_seals_when_it_is_used(file: Path) -> None:
    first, second = read_keys(file)[0], new_key()
    add_key(file, second, last=True)
    assert keyring().first == first
    use_key(file, second.id)
    assert keyring().ids == (second.id, first.id)
    with pytest.raises(UnknownName):
        use_key(file, "nobody")


async def test_a_value_from_before_there_were_keys_is_let_through(file: Path) -> None:
    assert await opened(keyring(), PLAIN) == PLAIN


async def test_without_any_key_a_sealed_value_says_which_one_is_missing(file: Path) -> None:
    payload = await sealed(keyring())
    with pytest.raises(CannotUnseal, match=keyring().first.id):
        data_converter().payload_converter.from_payloads([payload], [str])


def test_there_are_no_keys_unless_somebody_made_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOWDAH_KEYS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load_keyring() is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "keys = 3",
        "[[keys]]\nid = 'a'",
        "[[keys]]\nid = 'a'\nsecret = 'c2hvcnQ='",
        "[[keys]]\nid = 'a b'\nsecret = '{s}'",
        "[[keys]]\nid = 'a'\nsecret = '{s}'\n[[keys]]\nid = 'a'\nsecret = '{s}'",
        "[[keys]]\nid = 'a'\nsecret = 'not base64 {s}'",
        "broken {s}",
        "other = 1",
    ],
)
def test_a_file_that_is_wrong_is_refused_without_a_word_of_its_secrets(file: Path, text: str) -> None:
    secret = "A" * 43 + "="
    file.write_text(text.replace("{s}", secret))
    with pytest.raises(ConfigError) as failed:
        load_keyring()
    assert "AAAA" not in failed.value.message + failed.value.hint


def test_a_file_that_others_can_read_is_refused(file: Path) -> None:
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="can be read by others"):
        load_keyring()


def test_a_file_that_was_asked_for_must_be_there(file: Path) -> None:
    file.unlink()
    with pytest.raises(ConfigError, match="Cannot read"):
        load_keyring()


def test_keys_do_not_show_their_secrets(file: Path) -> None:
    key = read_keys(file)[0]
    assert repr(key.secret) not in repr(key)


@asynccontextmanager
async def working(client: Client, queue: str) -> AsyncIterator[None]:
    async with Worker(client, task_queue=queue, workflows=[Sealed]):
        yield


@pytest.mark.parametrize("embedded", [True, False])
async def test_the_server_sees_no_word_of_what_is_sealed(
    temporal: str, tmp_path: Path, file: Path, embedded: bool
) -> None:
    plain = await Client.connect(temporal, data_converter=data_converter())
    make_signing_key(StateFolder(tmp_path))
    client = protect_embedded(plain, StateFolder(tmp_path)) if embedded else protect_other(plain)
    assert protection_of(client).signed == embedded
    queue, word = uuid4().hex, SECRET.decode()
    async with working(client, queue):
        handle = await client.start_workflow(
            "sealed", word, id=queue, task_queue=queue, memo={"m": word}, static_summary=word, static_details=word
        )
        await handle.signal("end", "fail")
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.message == f"it failed with {word}"
    history = [event async for event in handle.fetch_history_events()]
    described = await handle.describe()
    assert await described.memo() == {"m": word, "word": word}
    assert len(history) > 5
    for seen in [*history, described.raw_description]:
        assert SECRET not in seen.SerializeToString()
        assert b"Traceback" not in seen.SerializeToString()


async def test_a_worker_without_the_key_stands_aside_and_nothing_fails(
    temporal: str, file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plain = await Client.connect(temporal, data_converter=data_converter())
    client, queue = protect_other(plain), uuid4().hex
    handle = await client.start_workflow("sealed", "word", id=queue, task_queue=queue, memo={"m": "word"})
    monkeypatch.setenv("HOWDAH_KEYS", str(tmp_path / "other.toml"))
    add_key(tmp_path / "other.toml", new_key())
    stranger = protect_other(plain)
    while not [one async for one in plain.list_workflows(f"WorkflowId = '{queue}'")]:
        pass
    with pytest.raises(CannotUnseal, match=queue):
        await refuse_unreadable(stranger)
    async with working(stranger, queue):  # one that was there before, and has no way to know
        while not (await handle.describe()).raw_description.pending_workflow_task.attempt > 1:
            pass
    monkeypatch.setenv("HOWDAH_KEYS", str(file))
    await refuse_unreadable(client)
    async with working(client, queue):
        await handle.signal("end", "well")
        assert await handle.result() == "word"


@pytest.mark.parametrize("embedded", [True, False])
async def test_workers_from_before_the_first_key_go_on_and_seal_from_then_on(
    temporal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embedded: bool
) -> None:
    """A key is made while experiments run: what begins then must not wait until somebody starts the workers anew."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("HOWDAH_KEYS", raising=False)
    plain = await Client.connect(temporal, data_converter=data_converter())
    make_signing_key(StateFolder(tmp_path))

    def protected() -> Client:
        return protect_embedded(plain, StateFolder(tmp_path)) if embedded else protect_other(plain)

    queue, word = uuid4().hex, SECRET.decode()
    async with working(protected(), queue):
        add_key(keys_file(), new_key())
        handle = await protected().start_workflow("sealed", word, id=queue, task_queue=queue)
        await handle.signal("end", "well")
        assert await handle.result() == word
    for event in (await handle.fetch_history()).events:
        assert SECRET not in event.SerializeToString()
