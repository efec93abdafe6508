"""Digests of files of this machine, remembered while the files stay as they are."""

import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from hashlib import sha256

from howdah.activities.staging.local_file import Identity, LocalFile, opened
from howdah.activities.storage.uncut import uncut
from howdah.errors import DataError

MOST = 10_000
FRESH = 2.0
"""Seconds. A file changed so lately may be changed again within the same tick of its file system's clock."""
_AT_ONCE = 32 << 20
"""Bytes summed in one call of a thread: so long a cancel waits."""


class Digests:
    """In memory, for a worker that stages the same files into many jobs. Used from several threads.

    Raises DataError: input_missing when a file cannot be read, input_changed when it changes meanwhile.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._known: OrderedDict[Identity, str] = OrderedDict()

    async def of(self, path: str, *, anew: bool = False) -> tuple[int, str]:
        """Size and SHA-256; with `anew` what was remembered does not count."""
        async with opened(path) as file:
            return file.size, await self.of_open(file, anew=anew)

    async def of_open(self, file: LocalFile, *, anew: bool = False) -> str:
        began = self._clock()
        if not anew and (known := self._known.get(file.identity)):
            return known
        digest = sha256()
        for start in range(0, file.size, _AT_ONCE):
            await uncut(partial(file.feed, digest, start, min(start + _AT_ONCE, file.size)))
        return self._keep(file, digest.hexdigest(), began)

    def of_small(self, path: str) -> tuple[int, str] | None:
        """Blocking, in one go. None when it cannot be read, or changes meanwhile."""
        try:
            with LocalFile(path) as file:
                began, digest = self._clock(), sha256()
                if known := self._known.get(file.identity):
                    return file.size, known
                file.feed(digest, 0, file.size)
                return file.size, self._keep(file, digest.hexdigest(), began)
        except DataError:
            return None

    def _keep(self, file: LocalFile, digest: str, began: float) -> str:
        file.check()
        *_, modified, changed = file.identity
        if max(modified, changed) / 1e9 <= began - FRESH:
            self._known[file.identity] = digest
            while len(self._known) > MOST:
                self._known.popitem(last=False)
        return digest


DIGESTS = Digests()
"""Of this process."""
