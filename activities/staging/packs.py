"""Which files travel together. Pure."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from howdah.activities.staging.sizes import Sizes

T = TypeVar("T")


def packed(items: Iterable[T], size_of: Callable[[T], int], sizes: Sizes) -> list[list[T]]:
    """Split `items`, in order, into packs that exceed neither the number of files nor of bytes.

    A single item that is larger than a pack gets one of its own.
    """
    packs: list[list[T]] = []
    room = 0
    for item in items:
        size = size_of(item)
        if not packs or size > room or len(packs[-1]) >= sizes.pack_files:
            packs.append([])
            room = sizes.pack_bytes
        packs[-1].append(item)
        room -= size
    return packs
