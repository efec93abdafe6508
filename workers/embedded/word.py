"""What the steward, a worker, tells its supervisor: a line of JSON each."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Word:
    """`pinned`: `deployment:build` of each version that experiments begin on or that running ones are pinned to."""

    accepted: bool = False
    refused: str | None = None
    pinned: tuple[str, ...] | None = None


def encode(word: Word) -> bytes:
    return json.dumps(asdict(word)).encode() + b"\n"


def decode(line: bytes) -> Word | None:
    """None for anything else that a worker may print."""
    try:
        told = json.loads(line)
        pinned = told["pinned"]
        return Word(told["accepted"], told["refused"], None if pinned is None else tuple(pinned))
    except (ValueError, TypeError, KeyError):
        return None
