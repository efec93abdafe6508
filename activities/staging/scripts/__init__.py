"""What is said to the site's shell. Names of files never become shell text: they come as data, NUL after each.

Wanted there: a POSIX shell, and GNU find, tar, coreutils, xargs (or what understands their options).
"""

import shlex

from howdah.models.job import Attempt

GONE = 41
"""Exit code: the folder does not carry the attempt's key."""
IN_THE_WAY = 42
"""Exit code: a link stands on the way; standard output names it."""
NOT_STORED = 43
"""Exit code: could not be stored; standard output is what `df` says, standard error why."""
DIFFERENT = 44
"""Exit code: what arrived is not what was sent."""
UNSURE = 47
"""Exit code: cut off, or another run of the same is at work; to be looked at anew."""
SUBMITTED = 48
"""Exit code: the job has been handed to the scheduler, so its inputs are its own now."""

IS_SUBMITTED = '[ -s "${root:-.}/.howdah/intent" ]'
"""A worker that was frozen, and is woken when another has long done its work, must not touch what a job may be using:
so this is asked last, before anything gets its name. `$root` is the job's folder where that is not the current one."""

INCOMING = ".howdah/incoming"


def enter(attempt: Attempt, otherwise: str = f"exit {GONE}") -> str:
    folder, key = shlex.quote(attempt.folder or "/nonexistent"), shlex.quote(attempt.key)
    return f"""
LC_ALL=C; export LC_ALL
owner=
cd -- {folder} 2>/dev/null && [ ! -L .howdah ] && [ -f .howdah/key ] && IFS= read -r owner 2>/dev/null <.howdah/key
[ "$owner" = {key} ] || {{ {otherwise}; }}
"""


ROOM = "df -Pk . | tail -n 1"

NO_LINK_ON_THE_WAY = r"""
open_way() {
  rest=$1 way=.
  while [ "$rest" != "${rest#*/}" ]; do
    way=$way/${rest%%/*} rest=${rest#*/}
    if [ -L "$way" ]; then printf "%s" "$way"; return 42; fi
  done
}
"""
"""A shell function: fails when a folder on the way to `$1` is a link. No process is started for it."""
