"""Putting files into the job's folder."""

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
from howdah.models.job import Attempt


def survey(attempt: Attempt) -> str:
    """Names of files come in; out go the room there is, and `sha256sum` of those that are plain files.

    Unfinished business of earlier tries is removed.
    """
    look = (
        NO_LINK_ON_THE_WAY
        + r"""
for name; do
  open_way "$name" >/dev/null && [ -f "./$name" ] && [ ! -L "./$name" ] && printf "./%s\0" "$name"
done
:"""
    )
    return f"""{enter(attempt)}
rm -rf {INCOMING}
{ROOM}
xargs -0 -r sh -c {shlex.quote(look)} sh | xargs -0 -r sha256sum
exit 0
"""


def unpack(attempt: Attempt, name: str) -> str:
    """A tar stream comes in: `tree/`, then `names` (NUL after each) and `sums` (a line each) of its files,
    and perhaps `inputs.json`. All is verified aside, then put in place by renaming.

    Folders are made first, each after those above it were seen to be no links.
    """
    no_links = """for folder; do
  if [ -L "$0/$folder" ]; then printf "%s" "$folder"; exit 1; fi
done"""
    place = """for folder; do
  find "$folder" -mindepth 1 -maxdepth 1 ! -type d -exec mv -f -t "$0/$folder" -- {} + || exit 1
done"""
    return f"""{enter(attempt)}
root=$PWD pack={INCOMING}/{name}
dropped() {{ rm -rf "$root/$pack"; exit "$1"; }}
failed() {{ cd "$root"; rm -rf "$pack"; {ROOM}; exit {NOT_STORED}; }}
if [ -L {INCOMING} ]; then printf %s {INCOMING}; exit {IN_THE_WAY}; fi
mkdir -p "$pack/tree" && tar -x -p -m -o -f - -C "$pack" || failed
cd "$pack/tree" || failed
xargs -0 -r sha256sum <../names | sed 's/^\\\\//' | cut -c 1-64 | cmp -s - ../sums ||
  dropped {DIFFERENT}
find . -type d -print0 | xargs -0 sh -c {shlex.quote(no_links)} "$root" || dropped {IN_THE_WAY}
find . -mindepth 1 -type d -print0 | (cd "$root" && xargs -0 -r mkdir -p --) || failed
find . -type d -print0 | xargs -0 sh -c {shlex.quote(place)} "$root" || failed
if [ -f ../inputs.json ]; then mv -f ../inputs.json "$root/.howdah/inputs.json" || failed; fi
rm -rf "$root/$pack"
exit 0
"""


def take_part(attempt: Attempt, name: str) -> str:
    """One file's bytes come in; its SHA-256 goes out."""
    return f"""{enter(attempt)}
if [ -L {INCOMING} ]; then printf %s {INCOMING}; exit {IN_THE_WAY}; fi
mkdir -p {INCOMING} && cat >{INCOMING}/{name} && sha256sum <{INCOMING}/{name} && exit 0
rm -f {INCOMING}/{name}; {ROOM}; exit {NOT_STORED}
"""


def place_part(attempt: Attempt, name: str, mode: int) -> str:
    """The final name comes in; what `take_part` took gets it."""
    place = (
        NO_LINK_ON_THE_WAY
        + f"""
open_way "$1" || exit {IN_THE_WAY}
case $1 in */*) mkdir -p -- "./${{1%/*}}" || exit 1 ;; esac
chmod {mode:o} {INCOMING}/{name} && mv -f -T -- {INCOMING}/{name} "./$1" """
    )
    return f"""{enter(attempt)}
way=$(xargs -0 sh -c {shlex.quote(place)} sh) && exit 0
if [ -n "$way" ]; then printf %s "$way"; exit {IN_THE_WAY}; fi
rm -f {INCOMING}/{name}; {ROOM}; exit {NOT_STORED}
"""
