"""What is small, and how much travels at once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """In bytes and numbers of files. A file below `small` travels in a pack; one of unknown size by itself."""

    small: int = 1 << 20
    pack_bytes: int = 64 << 20
    pack_files: int = 10_000
    tries: int = 3
    """How often a file that changes meanwhile, or arrives differently, is sent again."""
    recorded: int = 1000
    recorded_bytes: int = 256 * 1024
    """Files named in the answer, and how long all their names are at most: it has to fit into Temporal's 2 MiB."""


USUAL = Sizes()


def patience(size: int) -> float:
    """Seconds without a sign of life that are fine while a site computes checksums of `size` bytes."""
    return 120.0 + size / 20e6
