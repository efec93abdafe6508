"""One run of stage_out: files on their way home, each compared with the sum the site computed."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from hashlib import sha256

from howdah.activities.staging.choosing import Item
from howdah.activities.staging.inputs import PLAIN, storage_of
from howdah.activities.staging.listing import Found, look_again
from howdah.activities.staging.names import as_data, questions
from howdah.activities.staging.packs import packed
from howdah.activities.staging.refusals import gone
from howdah.activities.staging.scripts import GONE, outgoing
from howdah.activities.staging.sizes import Sizes, patience
from howdah.activities.staging.sums import parse_sums
from howdah.activities.staging.tar import TarReader
from howdah.activities.staging.telling import Telling
from howdah.activities.staging.together import AT_ONCE, batches, together
from howdah.activities.storage import Storage
from howdah.activities.transports.shell import Shell
from howdah.errors import OutcomeUnknown
from howdah.models.job import Attempt
from howdah.models.printable import printable
from howdah.models.progress import OutputFile


class Different(Exception):
    """The bytes that came are not those that were summed."""


class Fetching:
    """`outputs` are home. `lost` says by name why others are not."""

    def __init__(self, shell: Shell, attempt: Attempt, sizes: Sizes, telling: Telling) -> None:
        self._shell, self._attempt, self._sizes, self._telling = shell, attempt, sizes, telling
        self._storages: dict[str, Storage] = {}
        self._sums: dict[str, str] = {}
        self._words = ""
        self.outputs: dict[Item, OutputFile] = {}
        self.lost: dict[str, str] = {}

    async def fetch(self, files: list[Item]) -> None:
        """What changed while it was copied is copied again, a few times."""
        pending = files
        for _ in range(self._sizes.tries):
            if not pending:
                return
            await self._sum(pending)
            await self._round(pending)
            pending = await self._changed(pending)
        for item in pending:
            self.outputs.pop(item, None)
            self.lost.setdefault(item.shown, "it does not stop changing")

    async def make_links(self, links: list[Item]) -> None:
        for item in links:
            storage = self._storage(item)
            location = await storage.make(item.address, item.path, item.link or "")
            if location is None:
                self.lost[item.shown] = f"{item.address} knows no links"
            elif target := next(
                (done for one, done in self.outputs.items() if one.found.path == item.found.path), None
            ):
                update = {"path": printable(item.shown), "location": printable(location)}
                self.outputs[item] = target.model_copy(update=update)

    async def _sum(self, items: list[Item]) -> None:
        self._sums = {}
        size = sum(item.found.size for item in items)
        for names in questions(sorted({_name(item.found) for item in items})):
            answer = await self._shell.send(outgoing.sums(self._attempt), _once(names), idle=patience(size))
            if answer.code == GONE:
                raise gone(self._attempt)
            self._sums |= parse_sums(answer.out)
            self._words = answer.errors.strip()

    async def _round(self, items: list[Item]) -> None:
        """One try at all that can be read at the site and is not home yet."""
        waiting = []
        for batch in batches([item for item in items if _name(item.found) in self._sums]):
            for item, right in zip(batch, await together(self._is_home(item) for item in batch), strict=True):
                if right:
                    self._telling.moved(item.found.size)
                    self._home(item, item.found.size, self._location(item))
                else:
                    waiting.append(item)
        small = [item for item in waiting if item.found.size < self._sizes.small]
        for pack in packed(small, lambda item: item.found.size, self._sizes):
            await self._fetch_pack(pack)
        for item in waiting:
            if item.found.size >= self._sizes.small:
                await self._fetch_large(item)

    async def _is_home(self, item: Item) -> bool:
        return await self._storage(item).sha256(item.address, item.path) == self._sums[_name(item.found)]

    async def _fetch_pack(self, pack: list[Item]) -> None:
        """Members come in the order they were asked for; some may be gone by now."""
        names = as_data(_name(item.found) for item in pack)
        stream = self._shell.receive(outgoing.pack(self._attempt), data=names)
        async with aclosing(stream) as chunks:
            reader = TarReader(chunks)
            waiting = iter(pack)
            read: list[tuple[Item, bytes]] = []
            while member := await reader.next():
                item = next((one for one in waiting if _name(one.found) == member.name), None)
                if item is None:
                    raise OutcomeUnknown(f"The site sent {printable(member.name)!r}, which was not asked for.")
                if member.size > self._sizes.pack_bytes:  # it has grown since it was listed: another round
                    continue
                read.append((item, b"".join([chunk async for chunk in reader.content()])))
                if len(read) == AT_ONCE:
                    await together(self._store(item, _once(data)) for item, data in read)
                    read.clear()
            await together(self._store(item, _once(data)) for item, data in read)
            self._words = (await reader.rest()).decode(errors="replace").strip() or self._words

    async def _fetch_large(self, item: Item) -> None:
        stream = self._shell.receive(outgoing.content(self._attempt), data=as_data([_name(item.found)]))
        async with aclosing(stream) as chunks:
            await self._store(item, chunks)

    async def _store(self, item: Item, chunks: AsyncIterator[bytes]) -> None:
        size = [0]
        verified = self._verified(chunks, self._sums[_name(item.found)], size)
        try:
            async with aclosing(verified) as content:
                location = await self._storage(item).write(item.address, item.path, content, mode=item.found.mode)
        except Different:
            self._telling.again(size[0])
        else:
            self._home(item, size[0], location)

    async def _verified(
        self, chunks: AsyncIterator[bytes], wanted: str, size: list[int]
    ) -> AsyncGenerator[bytes, None]:
        """Raises Different at the end, before the storage gives the file its name."""
        digest = sha256()
        async for chunk in chunks:
            digest.update(chunk)
            size[0] += len(chunk)
            self._telling.moved(len(chunk))
            yield chunk
        if digest.hexdigest() != wanted:
            raise Different

    def _home(self, item: Item, size: int, location: str) -> None:
        if item not in self.outputs:
            self._telling.done()
        self.outputs[item] = OutputFile(
            path=printable(item.shown),
            size=size,
            sha256=self._sums[_name(item.found)],
            location=printable(location),
        )

    async def _changed(self, items: list[Item]) -> list[Item]:
        """Those to be copied once more. What is gone, or cannot be read, is lost."""
        now = await look_again(self._shell, self._attempt, {item.found.path for item in items})
        again = []
        for item in items:
            found = now.get(item.found.path)
            if found is None or found.kind != item.found.kind:
                self.outputs.pop(item, None)
                self.lost[item.shown] = "it vanished while it was copied"
            elif _name(item.found) not in self._sums and found.state == item.found.state:
                self.lost[item.shown] = f"it cannot be read ({self._words or 'the site does not say why'})"
            elif item not in self.outputs or found.state != item.found.state:
                again.append(Item(found, item.address, item.path, item.shown))
                self.outputs.pop(item, None)
        return again

    def _storage(self, item: Item) -> Storage:
        scheme = item.address.partition("://")[0].lower() if "://" in item.address else PLAIN
        return storage_of(scheme, self._storages)

    @staticmethod
    def _location(item: Item) -> str:
        return f"{item.address.rstrip('/')}/{item.path}"


def _name(found: Found) -> str:
    return f"./{found.path}"


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
