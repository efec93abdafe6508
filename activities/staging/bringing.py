"""From wherever outputs went into a folder of this machine: `howdah fetch`."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from howdah.activities.staging.inputs import PLAIN, scheme_of, storage_of
from howdah.activities.staging.outputs_manifest import IN_RESULTS, LARGEST_LIST, Came, from_json
from howdah.activities.staging.packs import packed
from howdah.activities.staging.peeking import file_at, peek
from howdah.activities.staging.sizes import USUAL, Sizes
from howdah.activities.staging.telling import Telling
from howdah.activities.staging.together import AT_ONCE, few_at_once
from howdah.activities.storage import Placed, Source, Storage, Unfinished
from howdah.activities.storage.file import FileStorage
from howdah.errors import DataError, SiteError
from howdah.models.causes import FailureCause
from howdah.models.paths import CONTROL
from howdah.models.printable import printable
from howdah.models.progress import Live

CHUNK = 1 << 20


@dataclass
class Brought:
    """`came` is in the folder. `failed` says by name why others are not."""

    came: list[Came] = field(default_factory=list)
    skipped: int = 0
    """Files that were there and right."""
    failed: dict[str, str] = field(default_factory=dict)


async def listed(results: str, attempt: str) -> list[Came] | None:
    """Everything that came home, as the list among the results says. None when there is none of this attempt."""
    try:
        held = await peek(*file_at(f"{results.rstrip('/')}/{IN_RESULTS}"), most=LARGEST_LIST)
        of, came = from_json(held)
    except (SiteError, ValueError):
        return None
    return came if of == attempt else None


async def bring(
    wanted: Sequence[Came], to: Path, *, tell: Callable[[Live], None] = lambda live: None, sizes: Sizes = USUAL
) -> Brought:
    """Every file by its name in the job's folder, below `to`. What is there and right is left alone.

    One that cannot be had does not keep the others. Raises DataError when there is no room.
    """
    files = [one for one in wanted if one.link is None and not one.folder]
    telling = Telling(tell, "fetching", files=len(files), size=sum(one.size for one in files))
    telling.now()
    bringing = _Bringing(to, sizes, telling)
    await bringing.bring(files)
    for one in wanted:
        if one.link is not None or one.folder:
            await bringing.make(one)
    telling.now()
    with suppress(OSError):
        (to / CONTROL).rmdir()  # where small files waited for their names
    bringing.brought.came.sort(key=lambda one: one.path)
    return bringing.brought


class _InTheWay(Exception):
    """What is in the folder, or the name of a file, does not allow it to be stored."""


class _Bringing:
    def __init__(self, to: Path, sizes: Sizes, telling: Telling) -> None:
        self._to, self._sizes, self._telling = str(to), sizes, telling
        self._home = FileStorage()
        self._storages: dict[str, Storage] = {}
        self.brought = Brought()

    async def bring(self, files: Sequence[Came]) -> None:
        waiting = await self._not_there(files)
        small = [one for one in waiting if one.size < self._sizes.small]
        large = [one for one in waiting if one.size >= self._sizes.small]
        for pack in packed(small, lambda one: one.size, replace(self._sizes, pack_bytes=16 << 20, pack_files=500)):
            await self._bring_pack(pack)
        await few_at_once((partial(self._bring_large, one) for one in large), self._sizes.at_once)

    async def make(self, one: Came) -> None:
        try:
            location = await self._home.make(self._to, one.path, one.link)
        except DataError as error:
            self.brought.failed[one.path] = error.message
        else:
            self.brought.came.append(replace(one, location=location or ""))

    async def _not_there(self, files: Sequence[Came]) -> list[Came]:
        sizes = await self._home.sizes(self._to, [one.path for one in files])
        perhaps = [one for one, size in zip(files, sizes, strict=True) if size == one.size]
        right = set()
        for at in range(0, len(perhaps), AT_ONCE):
            some = perhaps[at : at + AT_ONCE]
            sums = await self._home.sums(self._to, [one.path for one in some])
            for one, digest in zip(some, sums, strict=True):
                if digest == one.sha256:
                    right.add(one.path)
                    self._telling.skipped(one.size)
                    self._came(one)
        self.brought.skipped += len(right)
        return [one for one in files if one.path not in right]

    async def _bring_pack(self, pack: Sequence[Came]) -> None:
        data: dict[int, bytes] = {}

        async def read(number: int, one: Came) -> None:
            try:
                data[number] = await self._whole(one)
            except SiteError as error:
                self.brought.failed[one.path] = error.message

        await few_at_once((partial(read, number, one) for number, one in enumerate(pack)), AT_ONCE)
        try:
            await self._store([(pack[number], data[number]) for number in sorted(data)])
        except _InTheWay:  # of one; who of them it is shows when each is stored by itself
            for number in sorted(data):
                await self._store_alone(pack[number], data[number])

    async def _store_alone(self, one: Came, data: bytes) -> None:
        try:
            await self._store([(one, data)])
        except _InTheWay as error:
            self.brought.failed[one.path] = str(error)

    async def _store(self, files: Sequence[tuple[Came, bytes]]) -> None:
        """Raises: _InTheWay; DataError when there is no room, or no folder to store anything in."""
        tray = await self._home.tray(self._to)
        try:
            placed = [Placed(number, one.path, one.mode) for number, (one, _) in enumerate(files)]
            await tray.put(zip(placed, (data for _, data in files), strict=True))
            await tray.place(placed)
        except DataError as error:
            if error.cause == FailureCause.QUOTA:
                raise
            raise _InTheWay(error.message) from error
        finally:
            await tray.close()
        for one, _ in files:
            self._came(one)

    async def _whole(self, one: Came) -> bytes:
        storage, source = await self._source(one)
        held = await peek(storage, source, most=one.size + 1)
        if sha256(held).hexdigest() != one.sha256:
            raise _differs(one)
        self._telling.moved(len(held))
        return held

    async def _bring_large(self, one: Came) -> None:
        """It goes on after the whole blocks that are there; when these are wrong, it begins anew."""
        try:
            for last in (False, True):
                if await self._stream(one):
                    self._came(one)
                    return
                if last:
                    raise _differs(one)
        except SiteError as error:
            if error.cause == FailureCause.QUOTA:
                raise
            self.brought.failed[one.path] = error.message

    async def _stream(self, one: Came) -> bool:
        storage, source = await self._source(one)
        file = await self._home.begin(self._to, one.path, size=one.size, version=one.sha256)
        keep = True
        try:
            start = whole_blocks(await file.blocks(self._sizes.block), self._sizes.block)
            self._telling.skipped(start)
            await self._copy(storage, replace(source, size=one.size), file, start)
            keep = await file.sha256() == one.sha256
            if not keep:
                self._telling.again(one.size)
                return False
            await file.commit(one.mode)
            return True
        except DataError as error:
            keep = error.cause != FailureCause.QUOTA
            raise
        finally:
            await file.close(keep=keep)

    async def _copy(self, storage: Storage, source: Source, file: Unfinished, at: int) -> None:
        held = bytearray()
        async for chunk in storage.read(source, at):
            held += chunk
            self._telling.moved(len(chunk))
            if len(held) >= CHUNK:
                await file.write_at(at, bytes(held))
                at += len(held)
                held.clear()
        await file.write_at(at, bytes(held))
        self._telling.skipped((source.size or 0) - at - len(held))  # as if all came, until the sum has judged it

    async def _source(self, one: Came) -> tuple[Storage, Source]:
        """Local ones are looked up: a list that an earlier release wrote does not tell links from files."""
        storage = storage_of(scheme_of(one.location), self._storages)
        if scheme_of(one.location) == PLAIN:
            return storage, (await storage.find(one.location, one.path))[0]
        return storage, Source(one.path, one.location, size=one.size)

    def _came(self, one: Came) -> None:
        self._telling.done()
        self.brought.came.append(replace(one, location=f"{self._to.rstrip('/')}/{one.path}"))


def whole_blocks(sums: Iterable[str], block: int) -> int:
    """Bytes at the beginning that look as if they were written. Holes and the last block do not.  Pure."""
    nothing = sha256(bytes(block)).hexdigest()
    count = 0
    *whole, _ = [*sums, ""]
    for one in whole[:-1]:
        if one == nothing:
            break
        count += 1
    return count * block


def _differs(one: Came) -> DataError:
    return DataError(f"{printable(one.location)} is not what the job brought home: its sha256 is another one.")
