"""One run of stage_in: files on their way to the site. What arrived becomes the manifest."""

import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from hashlib import sha256

from howdah.activities.staging import manifest, tar
from howdah.activities.staging.inputs import Incoming
from howdah.activities.staging.manifest import Entry
from howdah.activities.staging.names import as_data
from howdah.activities.staging.packs import packed
from howdah.activities.staging.reading import Passing, changing, is_change, whole
from howdah.activities.staging.refusals import refusal
from howdah.activities.staging.scripts import incoming
from howdah.activities.staging.sizes import Sizes, patience
from howdah.activities.staging.telling import Telling
from howdah.activities.staging.together import batches, together
from howdah.activities.transports.shell import Answer, Shell
from howdah.errors import DataError
from howdah.models.job import Attempt
from howdah.models.printable import printable


class Sending:
    def __init__(self, shell: Shell, attempt: Attempt, sizes: Sizes, telling: Telling) -> None:
        self._shell, self._attempt, self._sizes, self._telling = shell, attempt, sizes, telling
        self._run = secrets.token_hex(6)
        self._packs = 0
        self.entries: dict[str, Entry] = {}
        self.skipped = 0

    def skip(self, item: Incoming, size: int, digest: str) -> None:
        """It is there and right."""
        self.skipped += 1
        self._telling.moved(size)
        self._arrived(item, size, digest)

    async def send(self, waiting: list[Incoming]) -> None:
        """First what is large. The last pack carries the manifest."""
        small = [item for item in waiting if self._is_small(item)]
        for item in waiting:
            if not self._is_small(item):
                await self._send_large(item)
        packs = packed(small, lambda item: item.source.size or 0, self._sizes) or [[]]
        for pack in packs:
            await self._send_pack(pack, last=pack is packs[-1])

    def _is_small(self, item: Incoming) -> bool:
        return item.source.size is not None and item.source.size < self._sizes.small

    async def _send_large(self, item: Incoming) -> None:
        for _ in range(self._sizes.tries):
            passing = Passing(item, self._telling.moved)
            arrived = await self._stream(item, passing)
            if arrived == passing.sha256:
                passing.check()
                await self._place(item)
                self._arrived(item, passing.size, passing.sha256)
                return
            self._telling.again(passing.size)
        raise changing(item)

    async def _stream(self, item: Incoming, passing: Passing) -> str | None:
        """The sum of what the site has got. None when the file changed while it was read."""
        script = incoming.take_part(self._attempt, self._part(item))
        try:
            async with aclosing(passing.chunks()) as chunks:
                answer = await self._shell.send(script, chunks, idle=patience(item.source.size or 1 << 36))
        except Exception as error:
            if is_change(passing.error):
                return None
            raise passing.error or error from None
        self._judge(answer, printable(item.path))
        return answer.out.partition(" ")[0]

    async def _place(self, item: Incoming) -> None:
        script = incoming.place_part(self._attempt, self._part(item), _mode(item))
        self._judge(await self._shell.send(script, _once(as_data([item.path]))), printable(item.path))

    async def _send_pack(self, pack: list[Incoming], *, last: bool) -> None:
        name = _name_of(pack)
        for _ in range(self._sizes.tries):
            self._packs += 1
            script = incoming.unpack(self._attempt, f"{self._run}.{self._packs}")
            stream = _Stream(self._tar(pack, last=last))
            try:
                async with aclosing(stream.chunks()) as chunks:
                    answer = await self._shell.send(script, chunks, idle=patience(self._sizes.pack_bytes))
            except Exception as error:
                raise stream.error or error from None
            self._judge(answer, name)
            if answer.code == 0:
                return
            files = [self.entries[item.path] for item in pack if item.is_file]
            self._telling.again(sum(entry.size for entry in files), files=len(files))
        raise DataError(f"{name} arrived at site {self._attempt.site} with a wrong checksum, several times.")

    async def _tar(self, pack: list[Incoming], *, last: bool) -> AsyncGenerator[bytes, None]:
        """The stream that `incoming.unpack` takes."""
        files: list[Entry] = []
        for batch in batches(pack):
            members = await together(self._member(item) for item in batch)
            files += [entry for entry, _ in members if entry.sha256]
            yield b"".join(member for _, member in members)
        yield tar.member("names", as_data(f"./{entry.path}" for entry in files))
        yield tar.member("sums", "".join(f"{entry.sha256}\n" for entry in files).encode())
        if last:
            yield tar.member("inputs.json", manifest.to_json(self.entries.values()))
        yield tar.END

    async def _member(self, item: Incoming) -> tuple[Entry, bytes]:
        source, name = item.source, f"tree/{item.path}"
        if source.folder:
            return self._keep(Entry(item.path, folder=True)), tar.folder(name)
        if source.link is not None:
            return self._keep(Entry(item.path, link=source.link)), tar.link(name, source.link)
        data = await whole(item, most=self._sizes.pack_bytes, tries=self._sizes.tries)
        self._telling.moved(len(data))
        return self._arrived(item, len(data), sha256(data).hexdigest()), tar.member(name, data, _mode(item))

    def _arrived(self, item: Incoming, size: int, digest: str) -> Entry:
        self._telling.done()
        return self._keep(Entry(item.path, size, digest, _mode(item)))

    def _keep(self, entry: Entry) -> Entry:
        self.entries[entry.path] = entry
        return entry

    def _judge(self, answer: Answer, what: str) -> None:
        if error := refusal(answer, self._attempt, what):
            raise error

    def _part(self, item: Incoming) -> str:
        """Where a large file waits for its name: a word for the shell, so not the file's own name."""
        return f"{self._run}.{sha256(as_data([item.path])).hexdigest()[:20]}.part"


class _Stream:
    """Keeps the error of its source: the way to the site may report only that it was cut off."""

    def __init__(self, source: AsyncGenerator[bytes, None]) -> None:
        self._source = source
        self.error: Exception | None = None

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(self._source) as chunks:
                async for chunk in chunks:
                    yield chunk
        except Exception as error:
            self.error = error
            raise


def _mode(item: Incoming) -> int:
    """Whoever owns a file has to be able to read it, or nobody can verify it."""
    return item.source.mode | 0o400


def _name_of(pack: list[Incoming]) -> str:
    if not pack:
        return "the list of inputs"
    more = f" and {len(pack) - 1} more small files" if len(pack) > 1 else ""
    return printable(pack[0].path) + more


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
