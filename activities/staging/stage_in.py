"""Put the inputs of a job into its folder."""

from collections.abc import AsyncIterator, Callable

from howdah.activities.staging import manifest
from howdah.activities.staging.inputs import Incoming, find_inputs
from howdah.activities.staging.names import questions
from howdah.activities.staging.reading import content_of
from howdah.activities.staging.refusals import free_bytes, no_room, refusal
from howdah.activities.staging.scripts import incoming
from howdah.activities.staging.sending import Sending
from howdah.activities.staging.sizes import USUAL, Sizes, patience
from howdah.activities.staging.sums import parse_sums
from howdah.activities.staging.telling import Telling
from howdah.activities.staging.together import batches, together
from howdah.activities.transports.shell import Shell
from howdah.models.job import Attempt, Staged
from howdah.models.printable import printable
from howdah.models.progress import Live


async def stage_in(shell: Shell, attempt: Attempt, *, tell: Callable[[Live], None], sizes: Sizes = USUAL) -> Staged:
    """May be cut off anywhere and run again: what is there and right is left alone.

    Raises: DataError (input_missing, input_changed, quota, configuration when the folder is not ours, transfer),
    and what the shell and the storages raise when trying again may help.
    """
    items = await find_inputs(attempt.job)
    if not items:
        return Staged(files=0, bytes=0)
    manifest.check(item.source for item in items)
    files = [item for item in items if item.is_file]
    telling = Telling(tell, "staging in", files=len(files), size=_size(files))
    telling.now()
    sending = Sending(shell, attempt, sizes, telling)
    there, room = await _survey(shell, attempt, files)
    known = [item for item in files if f"./{item.path}" in there]
    for batch in batches(known):
        for item, content in zip(batch, await together(content_of(item) for item in batch), strict=True):
            if content and content[1] == there[f"./{item.path}"]:
                sending.skip(item, *content)
    waiting = [item for item in items if item.path not in sending.entries]
    _check_room(waiting, attempt, room)
    await sending.send(waiting)
    telling.now()
    entries = sending.entries.values()
    return Staged(
        files=sum(not entry.folder for entry in entries),
        bytes=sum(entry.size for entry in entries),
        skipped=sending.skipped,
    )


async def _survey(shell: Shell, attempt: Attempt, files: list[Incoming]) -> tuple[dict[str, str], int | None]:
    """The sums of what is there already, and the bytes that are free."""
    room: int | None = None
    there: dict[str, str] = {}
    for names in questions(item.path for item in files) if files else [b""]:
        answer = await shell.send(incoming.survey(attempt), _once(names), idle=patience(_size(files)))
        if error := refusal(answer, attempt, "the inputs"):
            raise error
        room = free_bytes(answer.out.partition("\n")[0] + "\n")
        there |= parse_sums(answer.out)
    return there, room


def _check_room(waiting: list[Incoming], attempt: Attempt, room: int | None) -> None:
    """Better no byte than all but the last."""
    if room is None or _size(waiting) <= room:
        return
    largest = max(waiting, key=lambda item: item.source.size or 0)
    raise no_room(f"No room for {_size(waiting)} bytes (the largest is {printable(largest.path)!r})", attempt, room)


def _size(items: list[Incoming]) -> int:
    return sum(item.source.size or 0 for item in items)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
