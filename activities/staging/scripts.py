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

INCOMING = ".howdah/incoming"


def _enter(attempt: Attempt, otherwise: str = f"exit {GONE}") -> str:
    folder, key = shlex.quote(attempt.folder or "/nonexistent"), shlex.quote(attempt.key)
    return f"""
LC_ALL=C; export LC_ALL
cd -- {folder} 2>/dev/null && [ ! -L .howdah ] && [ "$(cat .howdah/key 2>/dev/null)" = {key} ] || {{ {otherwise}; }}
"""


_ROOM = "df -Pk . | tail -n 1"

_NO_LINK_ON_THE_WAY = r"""
open_way() {
  rest=$1 way=.
  while [ "$rest" != "${rest#*/}" ]; do
    way=$way/${rest%%/*} rest=${rest#*/}
    if [ -L "$way" ]; then printf "%s" "$way"; return 42; fi
  done
}
"""
"""A shell function: fails when a folder on the way to `$1` is a link. No process is started for it."""


def survey(attempt: Attempt) -> str:
    """Names of files come in; out go the room there is, and `sha256sum` of those that are plain files.

    Unfinished business of earlier tries is removed.
    """
    look = (
        _NO_LINK_ON_THE_WAY
        + r"""
for name; do
  open_way "$name" >/dev/null && [ -f "./$name" ] && [ ! -L "./$name" ] && printf "./%s\0" "$name"
done
:"""
    )
    return f"""{_enter(attempt)}
rm -rf {INCOMING}
{_ROOM}
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
    return f"""{_enter(attempt)}
root=$PWD pack={INCOMING}/{name}
dropped() {{ rm -rf "$root/$pack"; exit "$1"; }}
failed() {{ cd "$root"; rm -rf "$pack"; {_ROOM}; exit {NOT_STORED}; }}
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
    return f"""{_enter(attempt)}
if [ -L {INCOMING} ]; then printf %s {INCOMING}; exit {IN_THE_WAY}; fi
mkdir -p {INCOMING} && cat >{INCOMING}/{name} && sha256sum <{INCOMING}/{name} && exit 0
rm -f {INCOMING}/{name}; {_ROOM}; exit {NOT_STORED}
"""


def place_part(attempt: Attempt, name: str, mode: int) -> str:
    """The final name comes in; what `take_part` took gets it."""
    place = (
        _NO_LINK_ON_THE_WAY
        + f"""
open_way "$1" || exit {IN_THE_WAY}
case $1 in */*) mkdir -p -- "./${{1%/*}}" || exit 1 ;; esac
chmod {mode:o} {INCOMING}/{name} && mv -f -T -- {INCOMING}/{name} "./$1" """
    )
    return f"""{_enter(attempt)}
way=$(xargs -0 sh -c {shlex.quote(place)} sh) && exit 0
if [ -n "$way" ]; then printf %s "$way"; exit {IN_THE_WAY}; fi
rm -f {INCOMING}/{name}; {_ROOM}; exit {NOT_STORED}
"""


_FOUND = r"%y\0%s\0%T@\0%m\0%l\0"


def listing(attempt: Attempt) -> str:
    """Out go fields, NUL after each: `there`, six for each entry (type, size, time, mode, link target, name),
    `end`, and what find complained about. Or just `gone`.
    """
    gone = r"printf 'gone\0'; exit 0"
    return f"""{_enter(attempt, gone)}
printf 'there\\0'
exec 3>&1
words=$(find . -mindepth 1 -path ./.howdah -prune -o -printf '{_FOUND}%P\\0' 2>&1 1>&3)
find .howdah/stdout .howdah/stderr -maxdepth 0 -printf '{_FOUND}%p\\0' 2>/dev/null
printf 'end\\0%s\\0' "$words"
exit 0
"""


def again(attempt: Attempt) -> str:
    """Names come in; fields as of `listing` go out for those that are still there."""
    look = f"""find "$@" -maxdepth 0 -printf '{_FOUND}%p\\0' 2>/dev/null; :"""
    return f"""{_enter(attempt)}
printf 'there\\0'
xargs -0 -r sh -c {shlex.quote(look)} sh
printf 'end\\0\\0'
exit 0
"""


def sums(attempt: Attempt) -> str:
    """Names come in; `sha256sum` of each that can be read goes out."""
    return f"""{_enter(attempt)}
xargs -0 -r sha256sum
exit 0
"""


def pack(attempt: Attempt) -> str:
    """Names of plain files come in; a tar stream goes out, and after its end what tar complained about."""
    return f"""{_enter(attempt)}
exec 3>&1
words=$(tar -c -b 1 --format=gnu --no-recursion --hard-dereference --no-unquote --null -T - -f - 2>&1 1>&3)
printf %s "$words"
exit 0
"""


def content(attempt: Attempt) -> str:
    """The name of one file comes in; its bytes go out."""
    return f"""{_enter(attempt)}
xargs -0 cat --
"""
