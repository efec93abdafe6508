"""What a job printed, among its results: once its folder at the site is gone there is no other place."""

from howdah.activities.staging.peeking import file_at, peek
from howdah.cli.log_reading import Reading
from howdah.cli.printed import LogPart
from howdah.errors import HowdahError
from howdah.models.progress import Progress

MOST = 4 << 20
"""Bytes of a stream that are shown at once: the last ones."""


async def rest_at_home(progress: Progress, reading: Reading) -> list[LogPart]:
    """What was not shown yet, if this machine can read the results."""
    parts: list[LogPart] = []
    for stream in reading.wanted.streams:
        data, left_out = await _read(progress, stream, reading.offset(stream))
        if reading.wanted.lines is not None and not reading.offset(stream):
            data, left_out = _last_lines(data, reading.wanted.lines), 0
        parts += reading.rest(stream, data, dropped=left_out, ended=True)
    return [part.model_copy(update={"ended": part is parts[-1]}) for part in parts]


async def _read(progress: Progress, stream: str, offset: int) -> tuple[bytes, int]:
    """From `offset` on, and how many bytes of that are left out."""
    if not progress.results:
        return b"", 0
    address = f"{progress.results.rstrip('/')}/{stream}.txt"
    try:
        storage, source = file_at(address)
        (found,) = await storage.find(address, "")
        start = max(offset, (found.size or 0) - MOST)
        return await peek(storage, source, most=MOST, start=start), start - offset
    except (HowdahError, ValueError):  # it cannot be read from here, or it is a folder
        return b"", 0


def _last_lines(data: bytes, count: int) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join(lines[max(0, len(lines) - count) :])
