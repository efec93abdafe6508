"""SHA-256 of many files of this machine, on several processors, with the help of a memo."""

import asyncio
import os
import stat
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256

from howdah.activities.staging.local_file import CHUNK, Identity, LocalFile
from howdah.activities.staging.telling import Telling
from howdah.cli.memo import Memo
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.printable import printable

THREADS = 4
LOOK = 0.1
"""Seconds between two looks at how far the threads are."""
KEPT_AT_ONCE = 1 << 30
"""Bytes hashed until the memo hears of it, so that an interrupted start is not all in vain."""
_WAIT = "wait until whoever writes it is done, then start again"

Hashed = tuple[str, Identity, str]
"""Path, what the file was when it was read, and its SHA-256."""


async def hash_files(paths: Sequence[str], memo: Memo, telling: Telling) -> dict[str, Hashed]:
    """Each of these files by its path. Cancelled, it ends soon, and what was hashed is remembered.

    Raises DataError: input_changed when one changes while it is read, input_missing when one cannot be read.
    """
    known = await asyncio.to_thread(_known, paths, memo)
    telling.skipped(sum(identity[2] for _, identity, _ in known.values()))
    telling.done(len(known))
    hashing = _Hashing(path for path in paths if path not in known)
    return known | {hashed[0]: hashed for hashed in await _carried_out(hashing, memo, telling)}


def _known(paths: Sequence[str], memo: Memo) -> dict[str, Hashed]:
    now: dict[str, Identity] = {}
    for path in paths:
        try:
            status = os.lstat(path)
        except OSError:  # whoever reads it will say what is wrong with it
            continue
        if stat.S_ISREG(status.st_mode):
            now[path] = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    return {path: (path, now[path], digest) for path, digest in memo.known(now).items()}


async def _carried_out(hashing: "_Hashing", memo: Memo, telling: Telling) -> list[Hashed]:
    """The event loop only looks how far the threads are, and takes their results."""
    results: list[Hashed] = []
    fresh: list[Hashed] = []
    began = memo.now()
    threads = [asyncio.ensure_future(asyncio.to_thread(hashing.work)) for _ in range(THREADS)]
    try:
        while any(not thread.done() for thread in threads):
            await asyncio.wait(threads, timeout=LOOK, return_when=asyncio.FIRST_EXCEPTION)
            moved, done = hashing.news()
            telling.moved(moved)
            telling.done(len(done))
            fresh += done
            if sum(identity[2] for _, identity, _ in fresh) > KEPT_AT_ONCE:
                await asyncio.to_thread(memo.keep, fresh, began=began)
                results += fresh
                fresh = []
    finally:
        hashing.stop.set()
        ends = await asyncio.gather(*threads, return_exceptions=True)
        fresh += hashing.news()[1]
        memo.keep(fresh, began=began)
    for end in ends:
        if isinstance(end, BaseException):
            raise end
    return results + fresh


class _Hashing:
    """What the threads share. The first that fails ends the others."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._pending = deque(paths)
        self._lock = threading.Lock()
        self._moved = 0
        self._done: list[Hashed] = []
        self.stop = threading.Event()

    def news(self) -> tuple[int, list[Hashed]]:
        """Bytes read and files done since this was last asked."""
        with self._lock:
            moved, done = self._moved, self._done
            self._moved, self._done = 0, []
        return moved, done

    def work(self) -> None:
        try:
            while not self.stop.is_set():
                self._hash(self._pending.popleft())
        except IndexError:  # nothing is left
            return
        except BaseException:
            self.stop.set()
            raise

    def _hash(self, path: str) -> None:
        digest = sha256()
        with _told(), LocalFile(path) as file:
            for offset in range(0, file.size, CHUNK):
                if self.stop.is_set():
                    return
                data = file.read(offset, min(CHUNK, file.size - offset))
                digest.update(data)
                with self._lock:
                    self._moved += len(data)
            file.check()
            with self._lock:
                self._done.append((path, file.identity, digest.hexdigest()))


def changed_meanwhile(path: str) -> DataError:
    return DataError(
        f"{printable(path)} changed after it was hashed; nothing was started.",
        cause=FailureCause.INPUT_CHANGED,
        hint=_WAIT,
    )


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except DataError as error:
        if error.cause != FailureCause.INPUT_CHANGED:
            raise
        message = f"{error.message}; nothing was started."
        raise DataError(message, cause=error.cause, hint=_WAIT) from None
