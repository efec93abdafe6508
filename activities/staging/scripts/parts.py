"""Large files at the site: parts that grow until they are right, and get their names then.

A part's path is relative to the job's folder and safe shell text.
"""

import shlex

from howdah.activities.staging.scripts import (
    DIFFERENT,
    IN_THE_WAY,
    INCOMING,
    IS_SUBMITTED,
    NO_LINK_ON_THE_WAY,
    NOT_STORED,
    ROOM,
    SUBMITTED,
    UNSURE,
    enter,
)
from howdah.activities.staging.scripts.sums import BLOCK_SUMS, SUM_OF
from howdah.models.job import Attempt

END = "."
"""What follows a name that comes in: without it the way here was cut, perhaps within the name."""
_CUT_OFF = 255
"""What xargs makes 124 of."""
_PLACE = (
    NO_LINK_ON_THE_WAY
    + f"""
[ "$2" = {END} ] || exit {_CUT_OFF}
open_way "$1" || exit {IN_THE_WAY}
case $1 in */*) mkdir -p -- "./${{1%/*}}" || exit 1 ;; esac
chmod "$mode" "$part" && mv -f -T -- "$part" "./$1" """
)
PLACED = f"""if {IS_SUBMITTED}; then rm -f "$part"; exit {SUBMITTED}; fi
way=$(xargs -0 sh -c {shlex.quote(_PLACE)} sh) && {{ echo "$sum $size"; exit 0; }}
if [ $? -eq 124 ] || [ ! -f "$part" ]; then exit {UNSURE}; fi
if [ -n "$way" ]; then printf %s "$way"; exit {IN_THE_WAY}; fi
rm -f "$part"; {ROOM}; exit {NOT_STORED}
"""
"""The end of a script: `$part` gets the name that comes in, with the permissions `$mode`; out go `$sum` and `$size`."""


def block_sums(attempt: Attempt, part: str, block: int) -> str:
    """Out goes the SHA-256 of each block of what an earlier try left, a line each; nothing if there is none.

    Without sums nothing of it stays: whoever hears of none takes the part for new, and leaves out zeros.

    The part is another file from now on. The try that began it may only be frozen: what it still writes, perhaps when
    the file has its name and its job, goes into the old one, which nobody sees any more.
    """
    return f"""{enter(attempt)}
[ -f {part} ] && [ ! -L {part} ] || exit 0
cp --reflink=auto --sparse=auto {part} {part}.copy && mv -f {part}.copy {part} || rm -f {part} {part}.copy
[ -f {part} ] || exit 0
SHELL=/bin/sh; export SHELL
sums=$(split -b {block} --filter={shlex.quote(BLOCK_SUMS)} {part} | cut -c 1-64)
if [ -z "$sums" ]; then rm -f {part}; fi
printf '%s\\n' "$sums"
exit 0
"""


def write(attempt: Attempt, part: str, offset: int, *, fresh: bool) -> str:
    """Bytes come in; they are written into the part from `offset` on.

    What has come is written at once: a script that lost us must hold nothing back that it would write at its end,
    perhaps hours later, into a file that has its name and its job by then. Only where nothing was before may runs of
    zero bytes be left out as holes.
    """
    how = "notrunc,sparse" if fresh else "notrunc"
    return f"""{enter(attempt)}
if [ -L {INCOMING} ]; then printf %s {INCOMING}; exit {IN_THE_WAY}; fi
if [ -L {part} ]; then rm -f {part}; fi
mkdir -p {part.rpartition("/")[0]} &&
  dd of={part} bs=256K oflag=seek_bytes seek={offset} conv={how} status=none && exit 0
rm -f {part}; {ROOM}; exit {NOT_STORED}
"""


def finish(attempt: Attempt, part: str, *, size: int | None, sha256: str | None, mode: int) -> str:
    """The final name comes in. The part gets it if its sum is right. Out go the sum and the size that it has.

    Without `size` and `sha256` whatever came is taken. When the part is gone, a script that an earlier try left
    running may have given it its name: `UNSURE`, not a refusal.
    """
    right = f'[ "$sum" = {sha256} ]' if sha256 else ":"
    cut = cut_to(size, "$part") if size is not None else ":"
    return f"""{enter(attempt)}
{SUM_OF}
if [ -L {INCOMING} ]; then printf %s {INCOMING}; exit {IN_THE_WAY}; fi
part={part} mode={mode:o}; export part mode
failed() {{ if [ ! -f "$part" ]; then exit {UNSURE}; fi; rm -f "$part"; {ROOM}; exit {NOT_STORED}; }}
{cut} && sum_of "$part" && size=$(stat -c %s "$part") || failed
{right} || {{ echo "$sum $size"; exit {DIFFERENT}; }}
{PLACED}"""


def cut_to(size: int, part: str) -> str:
    """One that is complete may have lost the permission to write it: then an earlier try died while placing it."""
    return f'{{ [ "$(stat -c %s "{part}")" = {size} ] || truncate -c -s {size} "{part}"; }}'


def drop(attempt: Attempt, part: str) -> str:
    return f"{enter(attempt)}\nrm -f {part}\n"
