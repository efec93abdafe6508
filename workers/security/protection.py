"""What stands before a client's values: a signature on the embedded server, a seal wherever there are keys."""

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio.api.common.v1 import Payload
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest
from temporalio.client import Client, Interceptor
from temporalio.converter import DataConverter, PayloadCodec, WorkflowSerializationContext
from temporalio.worker import Interceptor as WorkerInterceptor

from howdah.workers.payloads import protecting
from howdah.workers.security.countersigning import Countersign
from howdah.workers.security.examining import Countersigning
from howdah.workers.security.keys import Keyring, keys_file, load_keyring
from howdah.workers.security.older import Older
from howdah.workers.security.sealed import CannotUnseal, is_sealed, key_id
from howdah.workers.security.signing import Signer, Signing, place
from howdah.workers.security.signing_key import read_signing_key
from howdah.workers.state import StateFolder

_PAGE = 1000


@dataclass(frozen=True)
class Protection:
    """`sealed_with`: the id of the key that seals, or None. `signed`: what is not ours is refused."""

    signed: bool
    sealed_with: str | None


def protect_embedded(client: Client, folder: StateFolder) -> Client:
    """The same client, signing what it says and refusing what is not signed; sealing too, if there are keys.

    Without a signing key the server was started by a release that had none, and so were its workers: what they make
    of our values bears no signature either, until they are all started anew. Raises: ConfigError.
    """
    signing, keyring = read_signing_key(folder), load_keyring()
    if signing is None:
        return protect_other(client)
    signer, older = Signer(signing.key), Older(client, signing.made)
    within = _sealing(client.namespace, keyring) if keyring else _LaterSealing(client.namespace)
    codec = Signing(signer, older.is_older, within=within)
    countersigning = Countersigning(
        Countersign(signer, signing.made), namespace=client.namespace, is_old_run=older.is_older_run
    )
    return _with(client, protecting(codec, sealed=keyring is not None), countersigning)


def protect_other(client: Client) -> Client:
    """Sealing, if there are keys. Who may do what is the business of such a server. Raises: ConfigError."""
    keyring = load_keyring()
    codec = _sealing(client.namespace, keyring) if keyring else _LaterSealing(client.namespace)
    return _with(client, protecting(codec, sealed=keyring is not None))


def protection_of(client: Client) -> Protection:
    keyring = load_keyring()
    return Protection(signed=_signer(client) is not None, sealed_with=keyring.first.id if keyring else None)


def examiners(client: Client) -> list[WorkerInterceptor]:
    """What examines histories that are replayed as it did when they were made: a forged signal is dropped again."""
    return [one for one in client.config()["interceptors"] if isinstance(one, Countersigning)]


async def refuse_unreadable(client: Client) -> None:
    """A worker that cannot read what runs would only stand in the way of one that can. Raises: CannotUnseal."""
    keyring, signer, token = load_keyring(), _signer(client), b""
    while True:
        told = await client.workflow_service.list_workflow_executions(
            ListWorkflowExecutionsRequest(
                namespace=client.namespace,
                query="ExecutionStatus = 'Running'",
                page_size=_PAGE,
                next_page_token=token,
            ),
            retry=True,
        )
        for info in told.executions:
            if (id_ := _lacking(info, client.namespace, keyring, signer)) is not None:
                raise CannotUnseal(
                    f"{info.execution.workflow_id} runs, sealed with key {id_!r}, which is not in {keys_file()}.",
                    hint="add that key, so that this worker can read it: HOWDAH_KEYS, howdah key list",
                )
        token = told.next_page_token
        if not token:
            return


def _lacking(info: WorkflowExecutionInfo, namespace: str, keyring: Keyring | None, signer: Signer | None) -> str | None:
    """The id of a key that we do not have, by the memo of a workflow. What somebody else made up does not count."""
    here = place(WorkflowSerializationContext(namespace=namespace, workflow_id=info.execution.workflow_id))
    for payload in info.memo.fields.values():
        if is_sealed(payload) and (signer is None or signer.is_ours(here, payload)):
            id_ = key_id(payload)
            if keyring is None or keyring.find(id_) is None:
                return id_
    return None


def _signer(client: Client) -> Signer | None:
    codec = client.data_converter.payload_codec
    return codec.signer if isinstance(codec, Signing) else None


def _sealing(namespace: str, keyring: Keyring) -> PayloadCodec:
    from howdah.workers.security.sealing import Sealing  # 30 ms, for those who have keys

    return Sealing(keyring, namespace)


class _LaterSealing(PayloadCodec):
    """Of who began before there was a key: the first sealed value that comes in makes it look for one."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._sealing: PayloadCodec | None = None

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return await self._sealing.encode(payloads) if self._sealing else list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if self._sealing is None and any(is_sealed(payload) for payload in payloads) and (keyring := load_keyring()):
            self._sealing = _sealing(self._namespace, keyring)
        return await self._sealing.decode(payloads) if self._sealing else list(payloads)


def _with(client: Client, converter: DataConverter, *more: Interceptor) -> Client:
    config = client.config()
    config["data_converter"] = converter
    config["interceptors"] = [*config["interceptors"], *more]
    return Client(**config)
