"""An input's bytes on their way: counted, summed, and looked at for changes."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from hashlib import sha256

from howdah.activities.staging.digests import DIGESTS
from howdah.activities.staging.inputs import Incoming
from howdah.activities.storage.file import FileStorage, local_path
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.printable import printable


class Passing:
    """Passes chunks on and remembers what they came to."""

    def __init__(self, item: Incoming, moved: Callable[[int], None] = lambda count: None) -> None:
        self._item, self._moved = item, moved
        self._digest = sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        async for chunk in self._item.chunks():
            self._digest.update(chunk)
            self.size += len(chunk)
            self._moved(len(chunk))
            yield chunk

    async def to_the_end(self) -> None:
        async with aclosing(self.chunks()) as chunks:
            async for _ in chunks:
                pass

    def check(self) -> None:
        """Raises DataError when the content is not what the user said it is."""
        as_promised(self._item, self.sha256)


class Kept:
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


async def whole(item: Incoming, *, most: int, tries: int) -> bytes:
    """All of a small file. Read again when it changes meanwhile; raises DataError when it does not stop changing."""
    for _ in range(tries):
        passing = Passing(item)
        parts: list[bytes] = []
        try:
            async with aclosing(passing.chunks()) as chunks:
                async for chunk in chunks:
                    parts.append(chunk)
                    if passing.size > most:
                        raise changing(item)
        except DataError as error:
            if not is_change(error):
                raise
            continue
        passing.check()
        return b"".join(parts)
    raise changing(item)


async def content_of(item: Incoming) -> tuple[int, str]:
    """Size and sum as they are now, read if need be. Raises DataError when it cannot be read, or changes meanwhile."""
    if path := path_of(item):
        return await DIGESTS.of(path)
    passing = Passing(item)
    await passing.to_the_end()
    return passing.size, passing.sha256


def path_of(item: Incoming) -> str | None:
    """Where this machine has it as a plain file."""
    if not isinstance(item.storage, FileStorage):
        return None
    address = item.source.address
    return address if address.startswith("/") else str(local_path(address))


def as_promised(item: Incoming, found: str) -> None:
    """Raises DataError when another content was promised, by the user or by what was recorded at the start."""
    if item.source.sha256 not in (None, found):
        raise item.differs(found)


def is_change(error: Exception | None) -> bool:
    return isinstance(error, DataError) and error.cause == FailureCause.INPUT_CHANGED


def changing(item: Incoming) -> DataError:
    return DataError(
        f"The input {printable(item.path)!r} does not stop changing while it is read.",
        cause=FailureCause.INPUT_CHANGED,
        hint="wait until whoever writes it is done, then: howdah retry {id}",
    )
