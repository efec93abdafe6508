"""Names of files as data for the site's shell: NUL after each, any bytes."""

from collections.abc import Iterable, Iterator

from howdah.activities.staging.packs import packed
from howdah.activities.staging.sizes import Sizes

_AT_ONCE = Sizes(pack_bytes=8 << 20, pack_files=20_000)
"""Names in one question, so that the answer stays far below what a shell takes for one."""


def as_data(names: Iterable[str]) -> bytes:
    return b"".join(name.encode("utf-8", "surrogateescape") + b"\0" for name in names)


def questions(names: Iterable[str]) -> Iterator[bytes]:
    for batch in packed(names, len, _AT_ONCE):
        yield as_data(batch)
