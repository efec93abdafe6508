"""What is small, and how much travels at once."""

from dataclasses import dataclass

MOST_BLOCKS = 500_000


@dataclass(frozen=True)
class Sizes:
    """In bytes and numbers of files. A file below `small` travels in a pack; one of unknown size by itself."""

    small: int = 1 << 20
    pack_bytes: int = 32 << 20
    pack_files: int = 10_000
    batch_bytes: int = 1 << 20
    batch_files: int = 500
    """What a thread reads in one go."""
    block: int = 4 << 20
    """A large file that was cut off goes on at the next whole block."""
    lanes: int = 4
    """Streams for one file, if it can be read from anywhere and is not below `lanes_from`."""
    lanes_from: int = 64 << 20
    at_once: int = 3
    """Large files, and packs, that are under way at the same time."""
    stale: float = 120.0
    """Seconds after which an unfinished file of somebody else in a site's cache counts as given up."""
    tries: int = 3
    """How often a file that changes meanwhile, or arrives differently, is sent again."""
    recorded: int = 1000
    recorded_bytes: int = 256 * 1024
    """Files named in the answer, and how long all their names are at most: it has to fit into Temporal's 2 MiB."""

    def block_of(self, size: int) -> int:
        """The block of a file of `size` bytes: larger when the sums of all would be too long for one answer."""
        return self.block * max(1, -(-size // (self.block * MOST_BLOCKS)))


USUAL = Sizes()


def patience(size: int) -> float:
    """Seconds without a sign of life that are fine while a site computes checksums of `size` bytes."""
    return 120.0 + size / 20e6
