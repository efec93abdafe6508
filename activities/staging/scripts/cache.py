"""The site's cache of inputs: what several jobs are given is moved to the site once.

    SCRATCH/.cache/objects/ab/SHA256     complete when they were stored; each use verifies its own copy
    SCRATCH/.cache/incoming/SHA256.part  growing
    SCRATCH/.cache/incoming/SHA256.owner the key of an attempt that lets it grow

The scratch is three levels above the folder of an attempt. Nothing here may fail a job: what cannot be done is
said in a word, and the job is given its input without the cache.
"""

import shlex

from howdah.activities.staging.scripts import DIFFERENT, IN_THE_WAY, INCOMING, NOT_STORED, ROOM, enter
from howdah.activities.staging.scripts.parts import PLACED, cut_to
from howdah.activities.staging.scripts.sums import SUM_OF
from howdah.models.job import Attempt

FOLDER = ".cache"
_CACHE = f"../../../{FOLDER}"
UNFINISHED = f"{_CACHE}/incoming"

ABSENT = "absent"
TAKEN = "taken"
UNUSABLE = "unusable"
BUSY = "busy"
"""Another process is filling it. The key follows that it claimed it with."""
OURS = "ours"
"""It is for us to fill. More words follow: `begun` when there is something of it."""

ABANDONED = 7
"""Days after which an unfinished file is removed."""


def part_of(sha256: str) -> str:
    return f"{UNFINISHED}/{sha256}.part"


def take(attempt: Attempt, sha256: str, *, copy: str, mode: int, claim: str | None, stale: float) -> str:
    """The final name comes in. If the cache has the content, and the copy is right, the copy gets that name.

    Out goes what became of it. Who gives a key to `claim` with means to send what is absent. `stale`: seconds.
    """
    return f"""{enter(attempt)}
{SUM_OF}{_paths(sha256)}
say() {{ printf '%s\\n' "$*"; exit 0; }}
if [ -L {INCOMING} ]; then printf %s {INCOMING}; exit {IN_THE_WAY}; fi
part={copy} mode={mode:o}; export part mode
for way in "$cache" "$cache/objects" "${{object%/*}}" "$cache/incoming"; do
  if [ -L "$way" ]; then say {UNUSABLE}; fi
done
is_there() {{ [ -f "$object" ] && [ ! -L "$object" ]; }}
had=
if is_there; then
  had=1
  touch -c "$object" 2>/dev/null
  if mkdir -p {INCOMING} && cp --reflink=auto "$object" "$part" 2>/dev/null; then
    sum_of "$part" || {{ rm -f "$part"; say {UNUSABLE}; }}
    if [ "$sum" = {sha256} ]; then
      taken() {{ {PLACED} }}
      out=$(taken) ; code=$?
      if [ $code -eq 0 ]; then say {TAKEN}; fi
      printf %s "$out"; exit $code
    fi
    rm -f "$object"
  elif [ -f "$object" ]; then
    rm -f "$part"; say {UNUSABLE}
  fi
  rm -f "$part"
fi
{f"say {ABSENT}" if claim is None else _claim(claim, stale)}
"""


def keep(attempt: Attempt, sha256: str, *, copy: str, size: int, mode: int, limit: int) -> str:
    """The final name comes in. If the job's own copy of the complete part is right, both get their names.

    Where there is no room for two the job gets the part itself. A script that an earlier try left running may have
    stored the part meanwhile.
    """
    return f"""{enter(attempt)}
{SUM_OF}{_paths(sha256)}
if [ -L {INCOMING} ]; then printf %s {INCOMING}; exit {IN_THE_WAY}; fi
part={copy} mode={mode:o} size={size}; export part mode
mkdir -p {INCOMING}
if [ -f "$growing" ]; then
  touch -c "$growing"
  {cut_to(size, "$growing")} || exit {DIFFERENT}
  if ! cp --reflink=auto "$growing" "$part" 2>/dev/null; then
    rm -f "$part"; mv -f "$growing" "$part" || exit {DIFFERENT}
  fi
elif [ -L "$object" ] || ! cp --reflink=auto "$object" "$part"; then
  rm -f "$part"; exit {DIFFERENT}
fi
sum_of "$part" || {{ rm -f "$part"; {ROOM}; exit {NOT_STORED}; }}
if [ "$sum" != {sha256} ]; then
  rm -f "$part"; printf %s "$sum"; exit {DIFFERENT}
fi
if [ -f "$growing" ]; then
  mkdir -p "${{object%/*}}" 2>/dev/null && chmod 400 "$growing" && mv -f -T "$growing" "$object" || rm -f "$growing"
fi
rm -f "$owner"
{evict("$cache", limit)}
{PLACED}"""


def give_up(attempt: Attempt, sha256: str, key: str) -> str:
    """What was claimed with `key` is of no use to anybody."""
    return f"""{enter(attempt)}
{_paths(sha256)}
if [ "$(cat "$owner" 2>/dev/null)" = {shlex.quote(key)} ]; then rm -f "$growing" "$owner"; fi
"""


def empty(attempt: Attempt) -> str:
    """Remove all that is complete; `emptied` goes out if that was anything."""
    return f"""{enter(attempt)}
[ -n "$(find {_CACHE}/objects -type f -print 2>/dev/null | head -n 1)" ] || exit 0
{evict(_CACHE, 0)}
echo emptied
"""


def evict(cache: str, limit: int) -> str:
    """Remove what was not used for longest until the rest fits, and what nobody goes on with."""
    return f"""
(
  cd "{cache}" || exit 0
  find incoming -type f -mtime +{ABANDONED} -exec rm -f -- {{}} +
  find objects -type f ! -path '*[!0-9a-z/]*' -printf '%T@ %s %p\\n' | sort -rn |
    awk -v limit={limit} '{{ total += $2; if (total > limit) print $3 }}' | xargs -r rm -f --
) >/dev/null 2>&1
"""


def _paths(sha256: str) -> str:
    return f"""
cache={_CACHE}
object=$cache/objects/{sha256[:2]}/{sha256} growing={part_of(sha256)} owner=$cache/incoming/{sha256}.owner
"""


def _claim(key: str, stale: float) -> str:
    """Ages are told by the clock of the file system, which need not be that of the machine we are on."""
    return f"""
key={shlex.quote(key)}
mkdir -p "$cache/objects" "$cache/incoming" 2>/dev/null && [ -w "$cache/objects" ] && [ -w "$cache/incoming" ] ||
  say {UNUSABLE}
if [ -L "$owner" ] || {{ [ -e "$owner" ] && [ ! -f "$owner" ]; }}; then say {UNUSABLE}; fi
came() {{ [ -z "$had" ] && is_there; }}
ours() {{
  if came; then rm -f "$owner"; say {ABSENT}; fi
  if [ -f "$growing" ]; then say {OURS} begun; else say {OURS}; fi
}}
if (set -C; printf %s "$key" >"$owner") 2>/dev/null; then ours; fi
if [ ! -f "$owner" ]; then
  if came; then say {ABSENT}; fi
  say {UNUSABLE}
fi
holder=$(cat "$owner")
[ "$holder" = "$key" ] && ours
last=$(stat -c %Y "$owner" "$growing" 2>/dev/null | sort -n | tail -n 1)
moment=$(mktemp "$owner.XXXXXX") && now=$(stat -c %Y "$moment") && rm -f "$moment" || say {UNUSABLE}
age=$((now - ${{last:-0}}))
if [ $age -gt -{int(stale)} ] && [ $age -lt {int(stale)} ]; then say {BUSY} "$holder"; fi
printf %s "$key" >"$owner" && ours
say {UNUSABLE}
"""
