"""Large files at the site: parts that grow until they are right, and get their names then.

A part's path is relative to the job's folder and safe shell text.
"""

import shlex

from howdah.activities.staging.scripts import (
    DIFFERENT,
    IN_THE_WAY,
    INCOMING,
    NO_LINK_ON_THE_WAY,
    NOT_STORED,
    ROOM,
    enter,
)
from howdah.activities.staging.scripts.sums import BLOCK_SUMS, SUM_OF
from howdah.models.job import Attempt

_PLACE = (
    NO_LINK_ON_THE_WAY
    + f"""
open_way "$1" || exit {IN_THE_WAY}
case $1 in */*) mkdir -p -- "./${{1%/*}}" || exit 1 ;; esac
chmod "$mode" "$part" && mv -f -T -- "$part" "./$1" """
)
PLACED = f"""way=$(xargs -0 sh -c {shlex.quote(_PLACE)} sh) && {{ echo "$sum $size"; exit 0; }}
if [ -n "$way" ]; then printf %s "$way"; exit {IN_THE_WAY}; fi
rm -f "$part"; {ROOM}; exit {NOT_STORED}
"""
"""The end of a script: `$part` gets the name that comes in, with the permissions `$mode`; out go `$sum` and `$size`."""


def block_sums(attempt: Attempt, part: str, block: int) -> str:
    """Out goes the SHA-256 of each block of what an earlier try left, a line each; nothing if there is none."""
    return f"""{enter(attempt)}
[ -f {part} ] && [ ! -L {part} ] || exit 0
split -b {block} --filter={shlex.quote(BLOCK_SUMS)} {part} | cut -c 1-64
exit 0
"""


def write(attempt: Attempt, part: str, offset: int, *, fresh: bool) -> str:
    """Bytes come in; they are written into the part from `offset` on.

    Only where nothing was before may runs of zero bytes be left out as holes.
    """
    how = "notrunc,sparse" if fresh else "notrunc"
    return f"""{enter(attempt)}
if [ -L {INCOMING} ]; then printf %s {INCOMING}; exit {IN_THE_WAY}; fi
if [ -L {part} ]; then rm -f {part}; fi
mkdir -p {part.rpartition("/")[0]} &&
  dd of={part} bs=256K iflag=fullblock oflag=seek_bytes seek={offset} conv={how} status=none && exit 0
rm -f {part}; {ROOM}; exit {NOT_STORED}
"""


def finish(attempt: Attempt, part: str, *, size: int | None, sha256: str | None, mode: int) -> str:
    """The final name comes in. The part gets it if its sum is right. Out go the sum and the size that it has.

    Without `size` and `sha256` whatever came is taken.
    """
    right = f'[ "$sum" = {sha256} ]' if sha256 else ":"
    cut = f'truncate -s {size} "$part"' if size is not None else ":"
    return f"""{enter(attempt)}
{SUM_OF}
if [ -L {INCOMING} ]; then printf %s {INCOMING}; exit {IN_THE_WAY}; fi
part={part} mode={mode:o}; export part mode
[ -f "$part" ] || exit {DIFFERENT}
{cut} && sum_of "$part" && size=$(stat -c %s "$part") || {{ rm -f "$part"; {ROOM}; exit {NOT_STORED}; }}
{right} || {{ echo "$sum $size"; exit {DIFFERENT}; }}
{PLACED}"""


def drop(attempt: Attempt, part: str) -> str:
    return f"{enter(attempt)}\nrm -f {part}\n"
