"""rsync at the site: speaking with ours, and what is done with the files it left."""

import shlex
from collections.abc import Sequence

from howdah.activities.staging.scripts import IN_THE_WAY, INCOMING, IS_SUBMITTED, NOT_STORED, ROOM, SUBMITTED, enter
from howdah.models.job import Attempt

NO_RSYNC = 46
"""Exit code: there is no rsync."""
ARRIVING = f"{INCOMING}/rsync"
"""Where files wait for their names. It stays when a try is cut off: the next one goes on with it."""

_IS_THERE = f"command -v rsync >/dev/null 2>&1 || exit {NO_RSYNC}"
_ASIDE = f"""
for folder in {INCOMING} {ARRIVING}; do
  if [ -L $folder ]; then printf %s $folder; exit {IN_THE_WAY}; fi
done
mkdir -p {ARRIVING} && root=$PWD && cd {ARRIVING} || {{ {ROOM}; exit {NOT_STORED}; }}
"""


def look() -> str:
    """Out goes the first line of what rsync says of its version, or nothing."""
    return "rsync --version 2>/dev/null | head -n 1; exit 0"


def take(attempt: Attempt, words: Sequence[str]) -> str:
    """rsync's own conversation; what arrives is put aside. `words` come after the program's name."""
    return f"{enter(attempt)}\n{_IS_THERE}\n{_ASIDE}\nexec rsync {shlex.join(words)}"


def give(attempt: Attempt, words: Sequence[str]) -> str:
    """rsync's own conversation, about the files of the job's folder."""
    return f"{enter(attempt)}\n{_IS_THERE}\nexec rsync {shlex.join(words)}"


def sums(attempt: Attempt) -> str:
    """Names come in; `sha256sum` of those that were put aside goes out."""
    return f"{enter(attempt)}{_ASIDE}\nxargs -0 -r sha256sum\nexit 0"


def drop(attempt: Attempt) -> str:
    """Names come in of what was put aside and is not right."""
    return f"{enter(attempt)}{_ASIDE}\nxargs -0 -r rm -rf --\nexit 0"


def permit(attempt: Attempt, mode: int) -> str:
    """Names come in of what was put aside; they get permission bits and the time of now: sites remove from
    scratch what looks old."""
    set_both = f'chmod {mode:o} -- "$@" && touch -- "$@"'
    return f"""{enter(attempt)}{_ASIDE}
xargs -0 -r sh -c {shlex.quote(set_both)} sh && exit 0
cd "$root"; {ROOM}; exit {NOT_STORED}
"""


def place(attempt: Attempt) -> str:
    """All names come in, in the order of their bytes; what was put aside gets its place in the job's folder by
    renaming. What is not among the names is forgotten. Folders are made first, each after those above it were seen
    to be no links."""
    no_links = """for folder; do
  if [ -L "$0/$folder" ]; then printf "%s" "$folder"; exit 1; fi
done"""
    move = """for folder; do
  find "$folder" -mindepth 1 -maxdepth 1 ! -type d -exec mv -f -t "$0/$folder" -- {} + || exit 1
done"""
    return f"""{enter(attempt)}{_ASIDE}
failed() {{ cd "$root"; {ROOM}; exit {NOT_STORED}; }}
cat >../rsync.names || failed
find . ! -type d -print0 | sort -z | comm -z -23 - ../rsync.names | xargs -0 -r rm -f -- || failed
find . -type d -print0 | xargs -0 sh -c {shlex.quote(no_links)} "$root" || exit {IN_THE_WAY}
if {IS_SUBMITTED}; then exit {SUBMITTED}; fi
find . -mindepth 1 -type d -print0 | (cd "$root" && xargs -0 -r mkdir -p --) || failed
find . -type d -print0 | xargs -0 sh -c {shlex.quote(move)} "$root" || failed
rm -rf "$root/{ARRIVING}" "$root/{INCOMING}/rsync.names"
exit 0
"""
