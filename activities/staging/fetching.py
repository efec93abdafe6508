"""One run of stage_out: files on their way home, each compared with the sum the site computed."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from howdah.activities.staging import by_rsync
from howdah.activities.staging.choosing import Item
from howdah.activities.staging.fetching_large import Different, Unreadable, fetch_large
from howdah.activities.staging.fetching_small import Pack
from howdah.activities.staging.inputs import scheme_of, storage_of
from howdah.activities.staging.listing import FILE, Found, look_again
from howdah.activities.staging.outputs_manifest import Came
from howdah.activities.staging.packs import packed
from howdah.activities.staging.there import location_of, sizes_at_home, sums_at_home, sums_at_site
from howdah.activities.staging.together import AT_ONCE, few_at_once, together
from howdah.activities.staging.trip import Arrival, Trip, name_of
from howdah.activities.storage import Batched, Owned, Storage
from howdah.errors import OutcomeUnknown
from howdah.models.printable import printable

Work = Callable[[], Coroutine[Any, Any, None]]

MOVED, RIGHT = "moved", "already right"
_IN_FLIGHT = 8 << 20
"""Bytes of a pack: of a far site several are on their way at once, each with an SSH window of its own."""
_IN_MEMORY = 16 << 20
"""Bytes of a pack for a storage that takes one file after the other."""
_LONGEST_NAME = 4095
"""Bytes: PATH_MAX of Linux without the NUL."""
_GROUP_BYTES, _GROUP_FILES = 256 << 20, 200
"""Large files whose sums are asked for together."""


class Fetching:
    """`came` is home. `lost` says by name why others are not."""

    def __init__(self, trip: Trip, *, rsync: bool = False) -> None:
        self._trip, self._rsync = trip, rsync
        self._storages: dict[str, Storage] = {}
        self._sums: dict[str, str] = {}
        self._now: dict[str, Found] = {}
        self._words = ""
        self._were_different: set[tuple[str, str]] = set()
        self.came: dict[Item, Came] = {}
        self.lost: dict[str, str] = {}
        self.warnings: list[str] = []

    async def fetch(self, files: Sequence[Item]) -> None:
        """What changed while it was copied is copied again, a few times."""
        pending = [item for item in files if self._can_be_named(item)]
        for _ in range(self._trip.sizes.tries):
            if not pending:
                return
            self._sums, self._now = {}, {}
            await self._round(pending)
            pending = await self._changed(pending)
        for item in pending:
            self.came.pop(item, None)
            self.lost.setdefault(item.shown, "it does not stop changing")

    async def make_links(self, links: Iterable[Item]) -> None:
        """Where a storage knows none, what a link leads to comes in its place, if that is a file."""
        instead: list[Item] = []
        ends = {item.found.path: came for item, came in self.came.items()}

        async def make(item: Item) -> None:
            location = await self.storage(item.address).make(item.address, item.path, item.link or "")
            if location is not None:
                end = ends.get(item.found.path) or Came("", "")
                self.came[item] = replace(end, path=item.shown, location=location, link=item.link, folder=False)
            elif item.found.kind == FILE:
                instead.append(replace(item, link=None))
            else:
                self.warnings.append(f"{printable(item.shown)!r} is a link to a folder; {item.address} knows no links")

        await few_at_once((partial(make, item) for item in links), AT_ONCE)
        await self.fetch(instead)

    async def make_folders(self, folders: Iterable[Item]) -> None:
        async def make(item: Item) -> None:
            location = await self.storage(item.address).make(item.address, item.path, None)
            if location is not None:
                self.came[item] = Came(item.shown, location, folder=True)

        await few_at_once((partial(make, item) for item in folders), AT_ONCE)

    def storage(self, address: str) -> Storage:
        """It may write over what this job stored there before, and nothing else."""
        storage = storage_of(scheme_of(address), self._storages)
        job = self._trip.attempt.job
        return storage.owned_by(f"{job.experiment}/{job.name}") if isinstance(storage, Owned) else storage

    async def _round(self, items: Sequence[Item]) -> None:
        """One try at all that is not home yet."""
        waiting = await self._not_home(items)
        if self._rsync:
            waiting = await self._by_rsync(waiting)
        small = [item for item in waiting if self._is_small(item)]
        large = [item for item in waiting if not self._is_small(item)]
        works = [*self._packs(small), *self._groups(large)]
        await few_at_once(works, self._trip.sizes.at_once)

    async def _by_rsync(self, items: Sequence[Item]) -> list[Item]:
        """The answer is what rsync cannot take."""
        ours = [item for item in items if by_rsync.can_come(item)]
        await self._ask_sums([item for item in ours if name_of(item.found) not in self._sums])
        for arrival in await by_rsync.fetch(self._trip, ours, self._sums):
            self._home(arrival, MOVED)
        return [item for item in items if not by_rsync.can_come(item)]

    def _can_be_named(self, item: Item) -> bool:
        """One name that no program takes would spoil the question for all others."""
        fits = len(os.fsencode(name_of(item.found))) <= _LONGEST_NAME
        if not fits:
            self.lost[item.shown] = "its name is longer than programs at the site can open"
        return fits

    def _is_small(self, item: Item) -> bool:
        return item.found.size < self._trip.sizes.small

    async def _not_home(self, items: Sequence[Item]) -> list[Item]:
        """Sums are asked for only where something is at home that may be right."""
        by_address = _by_address(items)
        candidates: list[Item] = []
        for address, inside in by_address.items():
            sizes = await sizes_at_home(self.storage(address), address, [item.path for item in inside])
            candidates += [one for one, size in zip(inside, sizes, strict=True) if size in (-1, one.found.size)]
        if not candidates:
            return list(items)
        _, *local = await together(
            [self._ask_sums(candidates), *map(self._local_sums, _by_address(candidates).items())]
        )
        there = {key: digest for found in local for key, digest in found.items()}
        away = [item for item in items if not self._is_home(item, there.get((item.address, item.path)))]
        await self._set_modes(item for item in candidates if item in self.came)
        return away

    async def _set_modes(self, items: Iterable[Item]) -> None:
        for address, inside in _by_address(items).items():
            storage = self.storage(address)
            if isinstance(storage, Batched):
                await storage.set_modes(address, [(item.path, item.found.mode) for item in inside])

    async def _local_sums(self, group: tuple[str, list[Item]]) -> dict[tuple[str, str], str]:
        address, items = group
        sums = await sums_at_home(self.storage(address), address, [item.path for item in items])
        return {(address, item.path): digest for item, digest in zip(items, sums, strict=True) if digest}

    async def _ask_sums(self, items: Sequence[Item]) -> dict[tuple[str, str], str]:
        for large in (False, True):
            some = [item for item in items if self._is_small(item) != large]
            names = {name_of(item.found): item.found.size for item in some}
            found, words = await sums_at_site(self._trip, names, large=large)
            self._sums |= found
            self._words = words or self._words
        return {}

    def _is_home(self, item: Item, there: str | None) -> bool:
        digest = self._sums.get(name_of(item.found))
        if digest is None or digest != there:
            return False
        self._trip.telling.skipped(item.found.size)
        self._home(Arrival(item, item.found.size, digest, location_of(item.address, item.path)), RIGHT)
        return True

    def _packs(self, items: Sequence[Item]) -> Iterator[Work]:
        for address, inside in _by_address(items).items():
            storage, sizes = self.storage(address), self._trip.sizes
            most = _IN_FLIGHT if isinstance(storage, Batched) else _IN_MEMORY
            sizes = replace(sizes, pack_bytes=min(sizes.pack_bytes, most))
            for pack in packed(inside, lambda item: item.found.size, sizes):
                yield partial(self._fetch_pack, Pack(self._trip, storage, pack))

    async def _fetch_pack(self, pack: Pack) -> None:
        await pack.fetch()
        self._sums |= pack.sums
        self._now |= pack.now
        self._words = pack.words or self._words
        for arrival in pack.arrivals:
            self._home(arrival, MOVED)

    def _groups(self, items: Sequence[Item]) -> Iterator[Work]:
        sizes = replace(self._trip.sizes, pack_bytes=_GROUP_BYTES, pack_files=_GROUP_FILES)
        for group in packed(items, lambda item: item.found.size, sizes):
            yield partial(self._fetch_group, group)

    async def _fetch_group(self, items: Sequence[Item]) -> None:
        """The site computes the sums while the first bytes travel."""
        unknown = [item for item in items if name_of(item.found) not in self._sums]
        asked = asyncio.ensure_future(self._ask_sums(unknown))
        try:
            await few_at_once((partial(self._fetch_large, item, asked) for item in items), self._trip.sizes.at_once)
            await asked
        finally:
            asked.cancel()
            await asyncio.wait([asked])

    async def _fetch_large(self, item: Item, asked: "asyncio.Future[Any]") -> None:
        async def wanted() -> str:
            await asyncio.shield(asked)
            if (digest := self._sums.get(name_of(item.found))) is None:
                raise Unreadable
            return digest

        place = (item.address, item.path)
        trust = place not in self._were_different
        storage = self.storage(item.address)
        try:
            location, digest = await fetch_large(self._trip, storage, item, wanted, trust_holes=trust)
        except Different:
            self._were_different.add(place)
        except Unreadable:
            return
        except OutcomeUnknown:
            with suppress(Unreadable):
                await wanted()  # it may know better what is wrong
                raise
        else:
            self._home(Arrival(item, item.found.size, digest, location), MOVED)

    def _home(self, arrival: Arrival, how: str) -> None:
        item = arrival.item
        if item not in self.came:
            self._trip.telling.done()
        self.came[item] = Came(item.shown, arrival.location, arrival.size, arrival.sha256, how, mode=item.found.mode)

    async def _changed(self, items: Sequence[Item]) -> list[Item]:
        """Those to be copied once more. What is gone, or cannot be read, is lost."""
        unseen = {item.found.path for item in items} - self._now.keys()
        now = self._now | (await look_again(self._trip.shell, self._trip.attempt, unseen) if unseen else {})
        again = []
        for item in items:
            found = now.get(item.found.path)
            if found is None or found.kind != item.found.kind:
                self._forget(item)
                self.lost[item.shown] = "it vanished while it was copied"
            elif name_of(item.found) not in self._sums and found.state == item.found.state:
                self.lost[item.shown] = f"it cannot be read ({self._words or 'the site does not say why'})"
            elif item not in self.came or found.state != item.found.state:
                again.append(replace(item, found=found))
                self._forget(item)
        return again

    def _forget(self, item: Item) -> None:
        if came := self.came.pop(item, None):
            self._trip.telling.again(came.size, files=1)


def _by_address(items: Iterable[Item]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        found[item.address].append(item)
    return found
