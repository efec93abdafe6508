"""Local inputs put into the depot, for workers that cannot see them: each content once, under its own sum."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import reduce
from hashlib import sha256
from operator import or_
from pathlib import Path

from howdah.activities.staging.depot import manifest_path, object_path, place, to_json
from howdah.activities.staging.inputs import PLAIN, scheme_of, storage_of
from howdah.activities.staging.telling import Telling
from howdah.activities.staging.together import together
from howdah.activities.storage import Batched, Owned, Source, Storage
from howdah.activities.storage.file import FileStorage
from howdah.cli.depositing_small import SMALL, bring_small
from howdah.cli.depot_folders import make_folders
from howdah.cli.depot_thing import Thing
from howdah.cli.hashing import changed_meanwhile
from howdah.cli.recording import Known
from howdah.errors import DataError, SiteUnreachable
from howdah.models.causes import FailureCause
from howdah.models.job import Recorded
from howdah.models.progress import Live

AT_ONCE = 8
OWNER = "depot"
"""Noted with what is stored, so that what was damaged there can be put right."""
PAUSES = (1.0, 3.0, 10.0)
"""Seconds before each further try when the storage does not answer."""


@dataclass(frozen=True)
class Deposited:
    """`recorded` with its places in the depot. `moved` and `there` count what had to go and what was there."""

    recorded: tuple[Recorded, ...]
    moved: int
    moved_bytes: int
    there: int


async def deposit(
    inputs: Sequence[Known], depot: str, tell: Callable[[Live], None], *, look_closely: bool = False
) -> Deposited:
    """Bring to `depot` (a URL or an absolute folder) what it has not got. May be cut off anywhere and run again.

    What is there is known by its name and size; with `look_closely` by its sum, where the storage can tell that
    cheaply or the depot is a folder. Raises DataError: input_changed when a file is not what was recorded, and
    what the storage raises.
    """
    files = list({thing.path: thing for known in inputs for thing in _files(known)}.values())
    lists = [_list(known) for known in inputs if known.recorded.folder]
    telling = Telling(tell, "depositing inputs", files=len(files), size=sum(thing.size for thing in files))
    if scheme_of(depot) == PLAIN:
        paths = [thing.path for thing in (*files, *lists)]
        await asyncio.to_thread(make_folders, Path(depot), paths)
    storage = storage_of(scheme_of(depot), {})
    storage = storage.owned_by(OWNER) if isinstance(storage, Owned) else storage
    moving = _Moving(storage, depot, telling, look_closely=look_closely)
    await moving.carry(files)
    await moving.carry(lists)  # last, so that a list in the depot means that its files are there
    telling.now()
    return Deposited(
        recorded=tuple(_placed(known.recorded, depot) for known in inputs),
        moved=moving.moved,
        moved_bytes=moving.moved_bytes,
        there=moving.there,
    )


def _files(known: Known) -> Iterator[Thing]:
    for entry in known.entries:
        if entry.sha256:
            address = known.addresses[entry.path]
            yield Thing(object_path(entry.sha256), entry.size, entry.sha256, _readable(entry.mode), address)


def _list(known: Known) -> Thing:
    data = to_json(known.entries)
    mode = reduce(or_, (_readable(entry.mode) for entry in known.entries if entry.sha256), 0o400)
    return Thing(manifest_path(known.recorded.sha256), len(data), sha256(data).hexdigest(), mode, data=data)


def _readable(mode: int) -> int:
    return mode & 0o444 | 0o400


def _placed(recorded: Recorded, depot: str) -> Recorded:
    path = manifest_path(recorded.sha256) if recorded.folder else object_path(recorded.sha256)
    return recorded.model_copy(update={"at": place(depot, path)})


class _Moving:
    def __init__(self, storage: Storage, depot: str, telling: Telling, *, look_closely: bool) -> None:
        self._storage, self._depot, self._telling, self._closely = storage, depot, telling, look_closely
        self.moved = self.moved_bytes = self.there = 0

    async def carry(self, things: Sequence[Thing]) -> None:
        """A few at a time; the first that fails ends the others."""
        if isinstance(self._storage, Batched):
            small = [thing for thing in things if thing.address and thing.size < SMALL]
            things = [thing for thing in things if not thing.address or thing.size >= SMALL]
            moved = await bring_small(small, self._depot, self._storage, self._telling, look_closely=self._closely)
            self.moved += len(moved)
            self.moved_bytes += sum(thing.size for thing in moved)
            self.there += len(small) - len(moved)
        pending = iter(things)

        async def carrier() -> None:
            for thing in pending:
                await self._carry(thing)

        await together(carrier() for _ in range(min(AT_ONCE, len(things))))

    async def _carry(self, thing: Thing) -> None:
        there = await self._brought(thing)
        if not thing.address:
            return
        if there:
            self.there += 1
            self._telling.skipped(thing.size)
        else:
            self.moved += 1
            self.moved_bytes += thing.size
        self._telling.done()

    async def _brought(self, thing: Thing) -> bool:
        """True when it was there already."""
        for pause in (*PAUSES, None):
            try:
                if there := await self._is_there(thing):
                    return there
                await self._write(thing)
                return False
            except SiteUnreachable:
                if pause is None:
                    raise
                await asyncio.sleep(pause)
        raise AssertionError(thing)

    async def _is_there(self, thing: Thing) -> bool:
        if self._closely:
            return await self._storage.sha256(self._depot, thing.path) == thing.sha256
        try:
            found = await self._storage.find(place(self._depot, thing.path), "there")
        except DataError as error:
            if error.cause == FailureCause.INPUT_MISSING:
                return False
            raise
        return [(one.path, one.size, one.folder) for one in found] == [("there", thing.size, False)]

    async def _write(self, thing: Thing) -> None:
        sent = _Sent(thing, self._telling)
        try:
            async with aclosing(sent.chunks()) as chunks:
                location = await self._storage.write(
                    self._depot, thing.path, chunks, mode=thing.mode, sha256=thing.sha256
                )
        except BaseException:
            self._telling.again(sent.size)
            raise
        arrived = await self._storage.sha256(self._depot, thing.path)
        if arrived is not None and arrived != thing.sha256:
            raise DataError(f"{location} arrived in the depot with a wrong checksum; start again.")


class _Sent:
    """The content of a thing on its way. `size`: the bytes that were told of so far."""

    def __init__(self, thing: Thing, telling: Telling) -> None:
        self._thing, self._telling = thing, telling
        self.size = 0

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Nothing gets its name in the depot before its sum was seen to be right: an error here is passed on."""
        if not self._thing.address:
            yield self._thing.data
            return
        digest = sha256()
        async for chunk in FileStorage().read(Source("", self._thing.address)):
            digest.update(chunk)
            self.size += len(chunk)
            self._telling.moved(len(chunk))
            yield chunk
        if digest.hexdigest() != self._thing.sha256:
            raise changed_meanwhile(self._thing.address)
