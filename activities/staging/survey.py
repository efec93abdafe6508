"""What of the inputs is at the site already."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from howdah.activities.staging.arrivals import Arrivals, How
from howdah.activities.staging.digests import DIGESTS
from howdah.activities.staging.filling import Content
from howdah.activities.staging.inputs import Incoming
from howdah.activities.staging.names import questions
from howdah.activities.staging.packs import packed
from howdah.activities.staging.reading import content_of, path_of
from howdah.activities.staging.refusals import free_bytes, refusal
from howdah.activities.staging.scripts import incoming
from howdah.activities.staging.sizes import Sizes, patience
from howdah.activities.staging.sums import parse_sums
from howdah.activities.staging.together import batches, once, together
from howdah.activities.storage.uncut import uncut
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError
from howdah.models.job import Attempt

_QUICK = 1 << 20
"""Bytes of a file that is summed together with others in one go."""


@dataclass(frozen=True)
class Survey:
    """The bytes that are free or taken by what is half done, None when the site does not tell; the names of what an
    earlier try left half done."""

    room: int | None
    left: frozenset[str] = frozenset()


async def look(
    shell: Shell, attempt: Attempt, files: Sequence[Incoming], *, sizes: Sizes, arrivals: Arrivals
) -> Survey:
    """What is there and right has arrived."""
    out = await _asked(shell, attempt, incoming.begin(attempt), b"", 0)
    word, _, rest = out.partition("\n")
    room, held, *left = rest.split("\n")
    free = free_bytes(room + "\n")
    if word == "begun":
        there = await _sums(shell, attempt, files, sizes)
        await _compare([item for item in files if item.path in there], there, sizes, arrivals)
    return Survey(None if free is None else free + int(held or 0) * 1024, frozenset(left))


async def _sums(shell: Shell, attempt: Attempt, files: Sequence[Incoming], sizes: Sizes) -> dict[str, str]:
    """By path. Large files are asked for by themselves: there is a faster way to sum them."""
    small = [item for item in files if (item.source.size or 0) < sizes.small]
    large = [item for item in files if (item.source.size or 0) >= sizes.small]
    found: dict[str, str] = {}
    for names in questions(item.path for item in small):
        out = await _asked(shell, attempt, incoming.small_sums(attempt), names, _size(small))
        found |= {name.removeprefix("./"): digest for name, digest in parse_sums(out).items()}
    if large:
        names = b"".join(questions(item.path for item in large))
        out = await _asked(shell, attempt, incoming.large_sums(attempt), names, _size(large))
        digests = out.split("\n")
        found |= {item.path: digest for item, digest in zip(large, digests, strict=False) if digest}
    return found


async def _compare(known: list[Incoming], there: Mapping[str, str], sizes: Sizes, arrivals: Arrivals) -> None:
    for batch in packed(known, lambda item: 0, Sizes(pack_files=sizes.batch_files)):
        for item, content in zip(batch, await _contents(batch), strict=True):
            if content and content[1] == there[item.path]:
                arrivals.file(item, *content, How.THERE)


async def _contents(items: Sequence[Incoming]) -> list[Content | None]:
    """None for what cannot be read right now: whoever sends it will find out."""
    found: dict[str, Content | None] = {}
    local = {item.path: path for item in items if _is_quick(item) and (path := path_of(item))}
    found |= zip(local, await uncut(partial(_of_this_machine, list(local.values()))), strict=True)
    others = [item for item in items if item.path not in found]
    for few in batches(others):
        found |= zip((item.path for item in few), await together(_content(item) for item in few), strict=True)
    return [found[item.path] for item in items]


def _is_quick(item: Incoming) -> bool:
    return not _promised(item) and (item.source.size or 0) < _QUICK


def _of_this_machine(paths: Iterable[str]) -> list[Content | None]:
    return [DIGESTS.of_small(path) for path in paths]


async def _content(item: Incoming) -> Content | None:
    if promised := _promised(item):
        return promised
    try:
        return await content_of(item)
    except DataError:
        return None


def _promised(item: Incoming) -> Content | None:
    source = item.source
    return (source.size, source.sha256) if source.sha256 and source.size is not None else None


async def _asked(shell: Shell, attempt: Attempt, script: str, names: bytes, size: int) -> str:
    answer = await shell.send(script, once(names), idle=patience(size))
    if error := refusal(answer, attempt, "the inputs"):
        raise error
    return answer.out


def _size(items: Iterable[Incoming]) -> int:
    return sum(item.source.size or 0 for item in items)
