"""What is asked of a workflow or a worker bears a signature in its header: who asks for what, of whom.

The values of a request are signed by themselves (see `signing`), but a request may bring none, or bring values that
were copied from an earlier request of the same workflow. So a start is good for one id, one type and a few minutes;
an update for one update id, which the server takes once; a step for its workflow.

Queries are answered to anybody: they change nothing, and what they tell can be read in the history as well.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.api.common.v1 import Payload

from howdah.workers.security.signing import SIGNATURE, Signer, Words

HEADER = "howdah-signature"
_AT = "at"
FRESH = timedelta(minutes=2)
"""So long a start is good. A client that finds its server away has given up before, and a worker asks anew."""

Headers = Mapping[str, Payload]


@dataclass(frozen=True)
class Countersign:
    """What signs and examines headers. `made`: seconds since 1970, when the key was."""

    signer: Signer
    made: float

    def on(self, headers: Headers, words: Words, *, at: float = 0) -> dict[str, Payload]:
        told = b"%d" % at
        payload = Payload(metadata={"encoding": b"json/plain", _AT: told}, data=b"true")
        payload.metadata[SIGNATURE] = self.signer.of(words, told)
        return {**headers, HEADER: payload}

    def is_on(self, headers: Headers, words: Words, *, at: float | None = None) -> bool:
        """With `at` it must have been signed at about that time."""
        payload = headers.get(HEADER)
        if payload is None or payload.metadata.get(SIGNATURE) is None:
            return False
        told = payload.metadata.get(_AT, b"")
        if not hmac.compare_digest(payload.metadata[SIGNATURE], self.signer.of(words, told)):
            return False
        return at is None or abs(float(told) - at) <= FRESH.total_seconds()

    def is_older(self, begun: datetime) -> bool:
        return begun.timestamp() < self.made


def start_of(namespace: str, workflow_id: str, kind: str) -> Words:
    return ("start", namespace, workflow_id, kind)


def child_of(namespace: str, parent: str, run: str, workflow_id: str, kind: str) -> Words:
    """It may be long until the server begins it, but the run that wants it can be named: nobody else has its id."""
    return ("child", namespace, parent, run, workflow_id, kind)


def signal_of(namespace: str, workflow_id: str, name: str) -> Words:
    return ("signal", namespace, workflow_id, name)


def update_of(namespace: str, workflow_id: str, name: str, update_id: str) -> Words:
    return ("update", namespace, workflow_id, name, update_id)


def step_of(namespace: str, workflow_id: str, kind: str) -> Words:
    return ("step", namespace, workflow_id, kind)


def question_of(namespace: str, activity_id: str, kind: str) -> Words:
    """An activity without a workflow."""
    return ("question", namespace, activity_id, kind)
