"""Looking at what is in the job's folder already, and putting packs of small files there."""

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
    enter,
)
from howdah.activities.staging.scripts.cache import UNFINISHED
from howdah.activities.staging.scripts.sums import SUM_OF
from howdah.models.job import Attempt

BEGUN = 45
"""Exit code: an earlier try has been here."""

_EACH = (
    NO_LINK_ON_THE_WAY
    + """is_file() { open_way "$1" >/dev/null && [ -f "./$1" ] && [ ! -L "./$1" ]; }
"""
)


def begin(attempt: Attempt) -> str:
    """Out go `fresh` or `begun`, the room there is, the KiB that unfinished files have of it (others' in the cache
    among them), and the names of parts that an earlier try left, a line each.

    That the folder for what comes in is there tells that an earlier try has been here.
    """
    return f"""{enter(attempt)}
if {IS_SUBMITTED}; then exit {SUBMITTED}; fi
if [ -L {INCOMING} ]; then rm -f {INCOMING}; fi
if mkdir {INCOMING} 2>/dev/null; then echo fresh; else echo begun; fi
rm -rf {INCOMING}/*.pack {INCOMING}/*.copy
echo "$({ROOM})"
echo "$(du -sk {INCOMING} {UNFINISHED} 2>/dev/null | awk '{{ held += $1 }} END {{ print held + 0 }}')"
ls {INCOMING} 2>/dev/null
exit 0
"""


def small_sums(attempt: Attempt) -> str:
    """Names of files come in; out goes `sha256sum` of those that are plain files."""
    look = _EACH + r"""for name; do is_file "$name" && printf "./%s\0" "$name"; done; :"""
    return f"""{enter(attempt)}
xargs -0 -r sh -c {shlex.quote(look)} sh | xargs -0 -r sha256sum
exit 0
"""


def large_sums(attempt: Attempt) -> str:
    """Names come in; a line goes out for each: its SHA-256, or nothing."""
    look = (
        _EACH + SUM_OF + """for name; do sum=; is_file "$name" && sum_of "./$name" 2>/dev/null; echo "$sum"; done; :"""
    )
    return f"""{enter(attempt)}
xargs -0 -r sh -c {shlex.quote(look)} sh
exit 0
"""


def unpack(attempt: Attempt, name: str, *, first: bool = False) -> str:
    """A tar stream comes in: `tree/`, then `names` (NUL after each) and `sums` (a line each) of its files,
    and perhaps `inputs.json`, which comes last of all. All is verified aside, then put in place by renaming.
    When a sum is wrong, `cmp` says in which line.

    What is new at the top goes in whole. For the rest, and for what another pack was faster with, folders are
    made, each after those above it were seen to be no links. With `first` nothing is done when an earlier try
    has been here.
    """
    no_links = """for folder; do
  if [ -L "$0/$folder" ]; then printf "%s" "$folder"; exit 1; fi
done"""
    new = r"""for top; do
  [ -e "$0/$top" ] || [ -L "$0/$top" ] || printf "%s\0" "$top"
done"""
    place = """for folder; do
  find "$folder" -mindepth 1 -maxdepth 1 ! -type d -print0 | xargs -0 -r mv -f -t "$0/$folder" -- || exit 1
done"""
    return f"""{enter(attempt)}
root=$PWD pack={INCOMING}/{name}.pack
dropped() {{ rm -rf "$root/$pack"; exit "$1"; }}
failed() {{ cd "$root"; rm -rf "$pack"; {ROOM}; exit {NOT_STORED}; }}
{_FIRST if first else ""}
if [ -L {INCOMING} ]; then printf %s {INCOMING}; exit {IN_THE_WAY}; fi
mkdir -p "$pack/tree" && tar -x -p -m -o -f - -C "$pack" || failed
cd "$pack/tree" || failed
xargs -0 -r sha256sum <../names | sed 's/^\\\\//; s/ .*//' | cmp - ../sums || dropped {DIFFERENT}
find . -type d -print0 | xargs -0 sh -c {shlex.quote(no_links)} "$root" || dropped {IN_THE_WAY}
if {IS_SUBMITTED}; then dropped {SUBMITTED}; fi
find . -mindepth 1 -maxdepth 1 -print0 | xargs -0 -r sh -c {shlex.quote(new)} "$root" |
  xargs -0 -r mv -f -t "$root" -- 2>/dev/null
if [ -n "$(ls -A)" ]; then
  find . -mindepth 1 -type d -print0 | (cd "$root" && xargs -0 -r mkdir -p --) || failed
  find . -type d -print0 | xargs -0 sh -c {shlex.quote(place)} "$root" || failed
  [ -z "$(find . ! -type d -print -quit)" ] || failed
fi
cd "$root"
if [ -f "$pack/inputs.json" ]; then mv -f "$pack/inputs.json" .howdah/inputs.json && rm -rf {INCOMING}/* || failed; fi
rm -rf "$pack"
exit 0
"""


_FIRST = f"""if ! mkdir {INCOMING} 2>/dev/null; then
  if [ -e {INCOMING} ] || [ -L {INCOMING} ]; then exit {BEGUN}; fi
fi"""
