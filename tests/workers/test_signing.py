"""What bears our signature is taken, what does not is not, and what began before there was a key goes on."""

import stat
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.converter import ActivitySerializationContext, SerializationContext, WorkflowSerializationContext
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer, Worker

from howdah import names
from howdah.errors import ConfigError
from howdah.models.desk import SiteState
from howdah.workers.payloads import data_converter
from howdah.workers.security.countersigning import FRESH, Countersign, start_of, update_of
from howdah.workers.security.protection import examiners, protect_embedded, protection_of
from howdah.workers.security.refusing import NotSigned
from howdah.workers.security.signing import REFUSED, Signer, Signing
from howdah.workers.security.signing_key import FILE, SigningKey, make_signing_key, read_signing_key
from howdah.workers.sharing.desk import begin_desk, read_desk
from howdah.workers.state import StateFolder
from tests.workers.asked import Asked, AskedChild, greet, tick

SIGNER = Signer(b"k" * 32)


def of_workflow(id_: str = "w", namespace: str = "n") -> WorkflowSerializationContext:
    return WorkflowSerializationContext(namespace=namespace, workflow_id=id_)


def of_step(kind: str = "submit", workflow: str | None = "w", activity: str | None = None) -> SerializationContext:
    return ActivitySerializationContext(
        namespace="n",
        activity_id=activity,
        activity_type=kind,
        activity_task_queue=None,
        workflow_id=workflow,
        workflow_type=None,
        is_local=False,
    )


async def nothing_is_older(workflow: str) -> bool:
    return False


async def taken(payload: Payload, context: SerializationContext, signer: Signer = SIGNER) -> bool:
    (got,) = await Signing(signer, nothing_is_older).with_context(context).decode([payload])
    return got.metadata["encoding"] != REFUSED.encode()


async def signed(context: SerializationContext) -> Payload:
    payload = Payload(metadata={"encoding": b"json/plain"}, data=b'"touch me"')
    (got,) = await Signing(SIGNER, nothing_is_older).with_context(context).encode([payload])
    return got


@pytest.mark.parametrize(
    ("made_for", "used_for"),
    [
        (of_workflow("w"), of_workflow("v")),
        (of_workflow("w"), of_workflow("w", namespace="other")),
        (of_workflow("w"), of_step()),
        (of_step(), of_workflow("w")),
        (of_step(), of_step(workflow="v")),
        (of_step("submit"), of_step("cleanup")),
        (of_step(), of_step(workflow=None, activity="w")),
        (of_step(workflow=None, activity="a"), of_step(workflow=None, activity="b")),
    ],
)
async def test_a_value_copied_to_another_place_is_refused(
    made_for: SerializationContext, used_for: SerializationContext
) -> None:
    payload = await signed(made_for)
    assert await taken(payload, made_for)
    assert not await taken(payload, used_for)


def _other_data(payload: Payload) -> None:
    payload.data = b'"touch you"'


def _other_encoding(payload: Payload) -> None:
    payload.metadata["encoding"] = b"json/protobuf"


def _more_metadata(payload: Payload) -> None:
    payload.metadata["messageType"] = b"x"


def _no_signature(payload: Payload) -> None:
    del payload.metadata["signature"]


@pytest.mark.parametrize("change", [_other_data, _other_encoding, _more_metadata, _no_signature])
async def test_a_value_that_was_changed_is_refused(change: Callable[[Payload], None]) -> None:
    payload = await signed(of_workflow())
    change(payload)
    assert not await taken(payload, of_workflow())


async def test_a_value_signed_with_another_key_is_refused() -> None:
    assert not await taken(await signed(of_workflow()), of_workflow(), Signer(b"o" * 32))


async def test_a_signed_value_stays_legible() -> None:
    assert (await signed(of_workflow())).data == b'"touch me"'


async def test_who_wants_a_refused_value_is_told_so_for_good() -> None:
    with pytest.raises(NotSigned) as refused:
        data_converter().payload_converter.from_payloads([Payload(metadata={"encoding": REFUSED.encode()})], [str])
    assert refused.value.non_retryable


def test_a_start_is_good_for_its_id_its_type_and_a_few_minutes() -> None:
    countersign = Countersign(SIGNER, made=0)
    header = countersign.on({}, start_of("n", "w", "hpc"), at=1000)
    later = 1000 + FRESH.total_seconds()
    assert countersign.is_on(header, start_of("n", "w", "hpc"), at=later)
    assert not countersign.is_on(header, start_of("n", "w", "hpc"), at=later + 1)
    assert not countersign.is_on(header, start_of("n", "w", "other"), at=1000)
    assert not countersign.is_on(header, start_of("n", "v", "hpc"), at=1000)
    assert not countersign.is_on(header, update_of("n", "w", "hpc", ""), at=1000)
    assert not countersign.is_on({}, start_of("n", "w", "hpc"), at=1000)


def test_the_moment_of_a_start_cannot_be_changed() -> None:
    countersign = Countersign(SIGNER, made=0)
    header = countersign.on({}, start_of("n", "w", "hpc"), at=1000)
    header["howdah-signature"].metadata["at"] = b"5000"
    assert not countersign.is_on(header, start_of("n", "w", "hpc"), at=5000)


def test_of_two_that_make_the_key_at_once_both_use_the_same(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make_signing_key, [folder] * 8))
    key = read_signing_key(folder)
    make_signing_key(folder)
    assert key is not None
    assert read_signing_key(folder) == key
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    make_signing_key(StateFolder(tmp_path))
    (tmp_path / FILE).chmod(0o640)
    with pytest.raises(ConfigError, match="can be read by others"):
        read_signing_key(StateFolder(tmp_path))


def test_a_key_that_is_cut_off_is_not_used(tmp_path: Path) -> None:
    make_signing_key(StateFolder(tmp_path))
    (tmp_path / FILE).write_text((tmp_path / FILE).read_text()[:40])
    with pytest.raises(ConfigError, match="it is no key"):
        read_signing_key(StateFolder(tmp_path))


@asynccontextmanager
async def working(client: Client, queue: str) -> AsyncIterator[None]:
    async with Worker(client, task_queue=queue, workflows=[Asked, AskedChild], activities=[greet, tick]):
        yield


async def ours(temporal: str, folder: Path, *, upgraded: bool = False) -> Client:
    if upgraded:
        StateFolder(folder).database.touch()
    make_signing_key(StateFolder(folder))
    return protect_embedded(await theirs(temporal), StateFolder(folder))


async def theirs(temporal: str) -> Client:
    return await Client.connect(temporal, data_converter=data_converter())


def refused(error: BaseException) -> bool:
    return isinstance(error, ApplicationError) and error.type == "NotSigned" and error.non_retryable


async def test_what_we_ask_ourselves_is_done_in_every_way_of_asking(temporal: str, tmp_path: Path) -> None:
    client, queue = await ours(temporal, tmp_path), uuid4().hex
    assert protection_of(client).signed
    async with working(client, queue):
        handle = await client.start_workflow(
            "asked", id=queue, task_queue=queue, start_signal="note", start_signal_args=["with the start"]
        )
        await _until_fresh(client, queue)
        handle = client.get_workflow_handle(queue)
        await handle.signal("note", "a word")
        await handle.signal("note")
        assert await handle.execute_update("end", result_type=bool)
        assert await handle.result() == ["hello you", "tack", "a word", "nothing"]
        history = await handle.fetch_history()
    replayer = Replayer(
        workflows=[Asked],
        namespace=client.namespace,
        data_converter=client.data_converter,
        interceptors=examiners(client),
    )
    await replayer.replay_workflow(history)


async def _until_fresh(client: Client, workflow: str) -> None:
    """Until it went on with a fresh history: what is said before that is said to the run that ends."""
    while True:
        first = await anext(client.get_workflow_handle(workflow).fetch_history_events())
        if first.workflow_execution_started_event_attributes.continued_execution_run_id:
            return


async def test_a_workflow_that_is_reset_goes_on_long_after_it_began(temporal: str, tmp_path: Path) -> None:
    """As from the Web UI. What was said to it is said again to the new run."""
    client, queue = await ours(temporal, tmp_path), uuid4().hex
    async with working(client, queue):
        handle = await client.start_workflow("asked", True, id=queue, task_queue=queue)
        await handle.signal("note", "a word")
        await handle.execute_update("end", result_type=bool)
        assert await handle.result() == ["hello you", "tack", "a word"]
        events = (await handle.fetch_history()).events
        first = next(event.event_id for event in events if event.HasField("workflow_task_completed_event_attributes"))
        request = ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=queue),
            workflow_task_finish_event_id=first,
            request_id=queue,
        )
        await client.workflow_service.reset_workflow_execution(request)
        again = client.get_workflow_handle(queue)
        assert await again.result() == ["hello you", "tack", "a word"]
        assert (await again.fetch_history()).events[0].event_time == events[0].event_time  # what its start is good for


async def test_nobody_else_is_heard_and_the_workflow_goes_on(temporal: str, tmp_path: Path) -> None:
    client, stranger, queue = await ours(temporal, tmp_path), await theirs(temporal), uuid4().hex
    async with working(client, queue):
        await client.start_workflow("asked", True, id=queue, task_queue=queue)
        mine, his = client.get_workflow_handle(queue), stranger.get_workflow_handle(queue)
        await his.signal("note", "forged")
        await his.signal("note")
        with pytest.raises(WorkflowUpdateFailedError) as failed:
            await his.execute_update("end")
        assert refused(failed.value.cause)
        assert await mine.query("words", result_type=list[str]) == []
        await mine.execute_update("end", result_type=bool)
        assert await mine.result() == ["hello you", "tack"]


@pytest.mark.parametrize("given", [[True], []], ids=["with a value", "without any"])
async def test_a_workflow_that_somebody_else_begins_fails_at_once(
    temporal: str, tmp_path: Path, given: list[Any]
) -> None:
    client, stranger, queue = await ours(temporal, tmp_path), await theirs(temporal), uuid4().hex
    async with working(client, queue):
        with pytest.raises(WorkflowFailureError) as failed:
            await stranger.execute_workflow("asked", args=given, id=queue, task_queue=queue)
    assert refused(failed.value.cause)


async def test_what_began_before_there_was_a_key_goes_on_and_ends(temporal: str, tmp_path: Path) -> None:
    stranger, queue = await theirs(temporal), uuid4().hex
    async with working(stranger, queue):
        await stranger.start_workflow("asked", True, id=queue, task_queue=queue)
        handle = stranger.get_workflow_handle(queue)
        await handle.signal("note", "from before")
        while not await handle.query("words", result_type=list[str]):
            pass
    client = await ours(temporal, tmp_path, upgraded=True)
    async with working(client, queue):
        mine = client.get_workflow_handle(queue)
        await mine.execute_update("end", result_type=bool)
        assert await mine.result() == ["hello you", "tack", "from before"]


async def test_an_old_name_does_not_open_the_door_to_a_new_run(temporal: str, tmp_path: Path) -> None:
    stranger, queue = await theirs(temporal), uuid4().hex
    async with working(stranger, queue):
        await stranger.start_workflow("asked", True, id=queue, task_queue=queue)
        await stranger.get_workflow_handle(queue).execute_update("end", result_type=bool)
        await stranger.get_workflow_handle(queue).result()
    client = await ours(temporal, tmp_path, upgraded=True)
    assert await client.get_workflow_handle(queue).result() == ["hello you", "tack"]  # still legible for us
    async with working(client, queue):
        with pytest.raises(WorkflowFailureError) as failed:
            await stranger.execute_workflow("asked", True, id=queue, task_queue=queue)
    assert refused(failed.value.cause)


async def test_what_the_desk_of_somebody_else_says_is_not_heard_and_is_no_error(temporal: str, tmp_path: Path) -> None:
    """Else no worker would begin with the site, and no list of experiments be shown, as long as it is open."""
    client, stranger, site = await ours(temporal, tmp_path), await theirs(temporal), uuid4().hex
    await begin_desk(client, SiteState(site=site))
    mine = client.get_workflow_handle(names.DESK_ID.format(site=site))
    assert await read_desk(client, site) == SiteState(site=site)
    await mine.terminate()
    await begin_desk(stranger, SiteState(site=site))
    assert await read_desk(client, site) is None
    await mine.terminate()


def test_without_a_key_of_the_server_nothing_is_signed(tmp_path: Path) -> None:
    """It was started by a release that had none, whose workers would not sign what they make of our values."""
    assert read_signing_key(StateFolder(tmp_path)) is None


def test_a_key_does_not_show_its_secret() -> None:
    key = SigningKey.new(made=0)
    assert key.secret not in repr(key)


def test_where_there_was_nothing_before_the_key_nothing_is_older(tmp_path: Path) -> None:
    """Else whoever takes the place of a server that died could say so of what he made up."""
    make_signing_key(StateFolder(tmp_path))
    key = read_signing_key(StateFolder(tmp_path))
    assert key is not None
    assert not Countersign(SIGNER, key.made).is_older(datetime.fromtimestamp(0, UTC))


def test_what_an_earlier_release_was_given_is_older_than_the_key(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    StateFolder(tmp_path).database.touch()
    make_signing_key(StateFolder(tmp_path))
    key = read_signing_key(StateFolder(tmp_path))
    assert key is not None
    assert Countersign(SIGNER, key.made).is_older(before)
    assert not Countersign(SIGNER, key.made).is_older(datetime.now(UTC))
