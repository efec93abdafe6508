"""An input's bytes on their way: counted, summed, and looked at for changes."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from hashlib import sha256

from howdah.activities.staging.inputs import Incoming
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.printable import printable


class Passing:
    """Passes chunks on and remembers what they came to."""

    def __init__(self, item: Incoming, moved: Callable[[int], None] = lambda count: None) -> None:
        self._item, self._moved = item, moved
        self._digest = sha256()
        self.size = 0
        self.error: Exception | None = None

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """An error is kept as well: the way to the site may report only that it was cut off."""
        try:
            async for chunk in self._item.chunks():
                self._digest.update(chunk)
                self.size += len(chunk)
                self._moved(len(chunk))
                yield chunk
        except Exception as error:
            self.error = error
            raise

    def check(self) -> None:
        """Raises DataError when the content is not what the user said it is."""
        wanted = self._item.source.sha256
        if wanted is not None and wanted != self.sha256:
            raise DataError(
                f"The input {printable(self._item.path)!r} has sha256 {self.sha256}, the experiment says {wanted}.",
                cause=FailureCause.INPUT_CHANGED,
            )


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


def is_change(error: Exception | None) -> bool:
    return isinstance(error, DataError) and error.cause == FailureCause.INPUT_CHANGED


def changing(item: Incoming) -> DataError:
    return DataError(
        f"The input {printable(item.path)!r} does not stop changing while it is read.",
        cause=FailureCause.INPUT_CHANGED,
        hint="wait until whoever writes it is done, then: howdah retry {id}",
    )


async def content_of(item: Incoming) -> tuple[int, str] | None:
    """Size and sum. None when it cannot be read right now: whoever sends it will find out."""
    source = item.source
    if source.sha256 and source.size is not None:
        return source.size, source.sha256
    passing = Passing(item)
    try:
        async with aclosing(passing.chunks()) as chunks:
            async for _ in chunks:
                pass
    except DataError:
        return None
    return passing.size, passing.sha256
