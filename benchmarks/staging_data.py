"""Files of random bytes to move, and the question whether they arrived."""

import os
import random
import subprocess
from pathlib import Path

MIB = 1 << 20


def one_file(folder: Path, size: int, seed: int = 1) -> None:
    """`size` bytes that nothing can compress, as `file.bin`."""
    folder.mkdir(parents=True)
    chunks = random.Random(seed)
    with (folder / "file.bin").open("wb") as stream:
        for at in range(0, size, MIB):
            stream.write(chunks.randbytes(min(MIB, size - at)))


def many_files(folder: Path, number: int, size: int, seed: int = 1) -> None:
    """`number` files of `size` bytes, a hundred in each folder."""
    chunks = random.Random(seed)
    for at in range(number):
        path = folder / f"d{at // 100:03}" / f"f{at:05}.dat"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chunks.randbytes(size))


def mixed_files(folder: Path, seed: int) -> None:
    """One file of 64 MiB, four of 1 to 8 MiB, three hundred small ones."""
    one_file(folder, 64 * MIB, seed)
    chunks = random.Random(seed + 1)
    for number, size in enumerate((1 * MIB, 2 * MIB + 1, 5 * MIB, 8 * MIB)):
        (folder / f"middle-{number}.bin").write_bytes(chunks.randbytes(size))
    for number in range(300):
        path = folder / f"small-{number % 7}" / f"f{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(chunks.randbytes(chunks.choice([0, 1, 700, 4096, 60_000])))


def differs(one: Path, other: Path) -> str:
    """What `diff` tells; nothing when both trees hold the same."""
    done = subprocess.run(
        ["diff", "-r", "-q", "--no-dereference", one, other], capture_output=True, text=True, check=False
    )
    return (done.stdout + done.stderr)[:1000]


def touch(folder: Path) -> None:
    """Make every file look edited, so that nobody's memory of its sum holds."""
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path)


def use_memory(file: Path, size: int) -> None:
    """Write `size` bytes and remove them: on a tmpfs of a virtual machine the first use of memory takes longest."""
    with file.open("wb") as stream:
        for _ in range(size // MIB):
            stream.write(bytes(MIB))
    file.unlink()
