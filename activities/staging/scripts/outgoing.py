"""Looking into the job's folder, and reading files there."""

import shlex

from howdah.activities.staging.scripts import NO_LINK_ON_THE_WAY, enter
from howdah.activities.staging.scripts.sums import BLOCK_SUMS, SUM_OF
from howdah.models.job import Attempt

_FOUND = r"%y\0%s\0%b\0%T@\0%m\0%l\0"
FIELDS = 7
"""Of an entry: type, size, blocks of 512 bytes that it takes, time, mode, link target, name."""


def listing(attempt: Attempt) -> str:
    """Out go fields, NUL after each: `there`, `FIELDS` for each entry, `end`, and find's complaints. Or just `gone`."""
    gone = r"printf 'gone\0'; exit 0"
    return f"""{enter(attempt, gone)}
printf 'there\\0'
exec 3>&1
words=$(find . -mindepth 1 -path ./.howdah -prune -o -printf '{_FOUND}%P\\0' 2>&1 1>&3)
find .howdah/stdout .howdah/stderr -maxdepth 0 -printf '{_FOUND}%p\\0' 2>/dev/null
printf 'end\\0%s\\0' "$words"
exit 0
"""


def again(attempt: Attempt) -> str:
    """Names come in; fields as of `listing` go out for those that are still there, with no link on the way to them."""
    return f"{enter(attempt)}{_AGAIN}exit 0\n"


_CLEAR = f"""{NO_LINK_ON_THE_WAY}
for name; do open_way "$name" >&2 && printf '%s\\0' "$name"; done; :"""
_LOOK = f"""find "$@" -maxdepth 0 -printf '{_FOUND}%p\\0' 2>/dev/null; :"""
_AGAIN = f"""
printf 'there\\0'
xargs -0 -r sh -c {shlex.quote(_CLEAR)} sh 2>/dev/null | xargs -0 -r sh -c {shlex.quote(_LOOK)} sh
printf 'end\\0\\0'
"""


def sums(attempt: Attempt) -> str:
    """Names of small files come in; `sha256sum` of each that can be read goes out."""
    return f"""{enter(attempt)}
xargs -0 -r sha256sum
exit 0
"""


def large_sums(attempt: Attempt) -> str:
    """Names of large files come in; of each that can be read its SHA-256 and its name go out, NUL after each."""
    each = f"""{SUM_OF}
for name; do sum_of "$name" && printf '%s\\0%s\\0' "$sum" "$name"; done; :"""
    return f"""{enter(attempt)}
xargs -0 -r sh -c {shlex.quote(each)} sh
exit 0
"""


def block_sums(attempt: Attempt, block: int) -> str:
    """The name of one file comes in; the SHA-256 of each of its blocks goes out, a line each."""
    split = f'exec split -b {block} --filter={shlex.quote(BLOCK_SUMS)} -- "$1"'
    return f"""{enter(attempt)}
SHELL=/bin/sh; export SHELL
xargs -0 sh -c {shlex.quote(split)} sh | cut -c 1-64
exit 0
"""


def pack(attempt: Attempt, length: int) -> str:
    """Names of plain files come in, NUL after each, `length` bytes in all, and the same twice more.

    A tar stream goes out. After its end, which may be longer than needed, come the line `sums`, the sums of the
    files as they are then in the words of `sha256sum`, a NUL, what tar and sha256sum complained about, a NUL, and
    last the answer of `again`: how the files are when all has been read.
    """
    return f"""{enter(attempt)}
exec 3>&1
words=$(
  head -c {length} |
    tar -c -b 128 --format=gnu --no-recursion --hard-dereference --no-unquote --null -T - -f - 2>&1 1>&3
  printf 'sums\\n' >&3
  head -c {length} | xargs -0 -r sha256sum 2>&1 1>&3
)
printf '\\0%s\\0' "$words"
{_AGAIN}exit 0
"""


def holes(attempt: Attempt) -> str:
    """The name of one file comes in; out goes the beginning of a tar stream that tells where its data are."""
    return f"""{enter(attempt)}
tar -c -S -b 1 --format=gnu --no-recursion --no-unquote --null -T - -f - 2>/dev/null | head -c {MAP}
exit 0
"""


MAP = 64 << 10
"""Bytes: room for the places of 2,600 pieces of data."""


def part(attempt: Attempt, start: int, size: int) -> str:
    """The name of one file comes in; `size` of its bytes from `start` on go out, and never more if it grows."""
    read = f'exec dd if="$1" bs=1M iflag=skip_bytes,count_bytes,fullblock skip={start} count={size} status=none'
    return f"""{enter(attempt)}
xargs -0 sh -c {shlex.quote(read)} sh
"""
