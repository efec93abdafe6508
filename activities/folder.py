"""The job's folder on its site: made, read and removed by shell text that may run twice or be cut off anywhere.

The folder holds the user's files, and `.howdah/` beside them with everything of ours.
"""

import shlex
from typing import NoReturn

from howdah.activities.schedulers import Question
from howdah.errors import DataError, SiteError
from howdah.models.answers import Check
from howdah.models.causes import FailureCause
from howdah.models.desk import Part
from howdah.models.job import Attempt, Workdir
from howdah.models.paths import CONTROL
from howdah.models.sites import Site
from howdah.models.units import human_size


def scratch(site: Site) -> str:
    """The site's scratch as a double-quoted shell word, with the account's own name and home filled in there."""
    path = site.scratch.replace("{user}", "$(id -un)").replace("{home}", "$HOME")
    return f'"$HOME/{path[2:]}"' if path.startswith("~/") else f'"{path}"'


def make(attempt: Attempt, site: Site) -> Question[Workdir]:
    """Make the folder and mark it with the attempt's key, and with who made it. Made already is as good.

    Another job of the experiment may be removing the folder above, found empty, at this moment: hence two tries.
    """
    job = attempt.job
    origin = f"{job.origin} {job.experiment}" if job.origin else ""
    script = f"""
S={scratch(site)}; D=$S/{shlex.quote(attempt.subfolder)}; K={shlex.quote(attempt.key)}; O={shlex.quote(origin)}
say() {{ printf '%s\\n' "$*"; exit 0; }}
make() {{ mkdir -p "$D/{CONTROL}"; }}
make 2>/dev/null || make 2>&1 || say "FAILED $(df -Pk "$S" 2>/dev/null | tail -n 1)"
cd "$D" || say FAILED
if [ -e {CONTROL}/key ]; then
  [ "$(cat {CONTROL}/key)" = "$K" ] || say TAKEN "$D"
else
  printf '%s\\n' "$K" >"{CONTROL}/key.$$" && mv -f "{CONTROL}/key.$$" {CONTROL}/key || say FAILED
fi
if [ -n "$O" ] && [ ! -e {CONTROL}/origin ]; then
  printf '%s\\n' "$O" >"{CONTROL}/origin.$$" && mv -f "{CONTROL}/origin.$$" {CONTROL}/origin || say FAILED
fi
say MADE "$(pwd -P)"
"""

    def read(out: str) -> Workdir:
        word, rest = _last(out)
        if word == "MADE" and rest.startswith("/"):
            return Workdir(folder=rest)
        if word == "TAKEN":
            message = f"The folder {rest} at site {site.name} belongs to another job."
            raise DataError(message, cause=FailureCause.CONFIGURATION, hint="choose another scratch for this site")
        _refuse(f"Cannot make a folder below {site.scratch} at site {site.name}", out)

    return Question(script, read)


def remove(attempt: Attempt, site: Site) -> Question[None]:
    """Remove the folder, if it is below the scratch and carries the attempt's key. Gone already is as good.

    It is renamed first: cut off half-way, the rest is still known as ours. Its entry on the board goes with it.
    """
    folder = shlex.quote(attempt.folder) if attempt.folder else f'"$S"/{shlex.quote(attempt.subfolder)}'
    script = f"""
S={scratch(site)}; D={folder}; K={shlex.quote(attempt.key)}
say() {{ printf '%s\\n' "$*"; exit 0; }}
S=$(cd "$S" 2>/dev/null && pwd -P) || say GONE
T=$D.removed-$K
if [ -e "$D" ] || [ -L "$D" ]; then
  [ -d "$D" ] && [ ! -L "$D" ] || say FOREIGN "$D is not a folder"
  P=$(cd "$D" && pwd -P) || say FAILED
  case $P in "$S"/*/*) ;; *) say FOREIGN "$P is not below $S" ;; esac
  [ "$(cat "$D/{CONTROL}/key" 2>/dev/null)" = "$K" ] || say FOREIGN "$D does not carry the key $K"
  mv "$D" "$T" || say FAILED
fi
if [ -d "$T" ]; then
  chmod -R u+rwX "$T" 2>/dev/null
  rm -rf "$T" 2>&1 || say FAILED
fi
rm -f "$S/{CONTROL}/$(id -u)/ended/$K" 2>/dev/null
rmdir "${{D%/*}}" 2>/dev/null && rmdir "${{D%/*/*}}" 2>/dev/null
say GONE
"""

    def read(out: str) -> None:
        word, rest = _last(out)
        if word == "GONE":
            return
        if word == "FOREIGN":
            raise DataError(f"Nothing was removed at site {site.name}: {rest}.", cause=FailureCause.CONFIGURATION)
        _refuse(f"Cannot remove the folder of {attempt.key} at site {site.name}", out)

    return Question(script, read, within=25 * 60)


def check_scratch(site: Site) -> Question[Check]:
    """Can we write below the scratch, and how much room is there?"""
    script = f"""
S={scratch(site)}
mkdir -p "$S" 2>&1 && T=$(mktemp -d "$S/.check.XXXXXX" 2>&1) || {{ echo; printf 'FAILED %s\n' "$S"; exit 0; }}
printf x >"$T/x" && mv "$T/x" "$T/y" && rm -r "$T" || {{ echo; printf 'FAILED %s\n' "$S"; exit 0; }}
echo
printf 'FREE %s %s\n' "$(df -Pk "$S" | awk 'END {{print $4}}')" "$S"
"""

    def read(out: str) -> Check:
        word, rest = _last(out)
        if word != "FREE":
            words = " ".join(out.split()) or "it said nothing"
            return Check(name="scratch", ok=False, found=words, hint="choose a folder that this account may write to")
        kilobytes, _, path = rest.partition(" ")
        room = human_size(int(kilobytes) * 1024) if kilobytes.isdigit() else "unknown room"
        return Check(name="scratch", ok=True, found=f"{path}, {room} free")

    return Question(script, read)


ROOM = 1 << 20
"""Bytes that are written to see whether there is room: random ones, for some file systems store zeros as nothing."""


def check_room(site: Site) -> Question[None]:
    """Raises a SiteError with `part` SCRATCH when not even a small file can be stored below the scratch.

    The file is read back: a quota may show only when it is closed. It lies for a moment in a folder of its own, which
    is removed whatever happens.
    """
    script = f"""
exec 2>&1
S={scratch(site)}
mkdir -p "$S" && T=$(mktemp -d "$S/.check.XXXXXX") || {{ printf '\nFAILED\n'; exit 0; }}
trap 'rm -rf "$T"' EXIT; trap 'exit 1' HUP INT TERM
head -c {ROOM} /dev/urandom >"$T/room" && sync "$T/room" 2>/dev/null
[ "$(wc -c <"$T/room")" -eq {ROOM} ] && printf '\nROOM\n' || printf '\nFAILED %s\n' "$(df -Pk "$S" | tail -n 1)"
exit 0
"""

    def read(out: str) -> None:
        if _last(out)[0] == "ROOM":
            return
        words = out.strip().rpartition("\n")[0].strip()
        raise SiteError(
            f"Not even {human_size(ROOM)} can be stored below {site.scratch} at site {site.name}: "
            + (words or "it does not say why"),
            cause=_cause(words),
            says=out.strip(),
            hint=f"make room at site {site.name}, or mend its scratch; then it goes on by itself",
            part=Part.SCRATCH,
        )

    return Question(script, read)


def _last(out: str) -> tuple[str, str]:
    word, _, rest = out.strip().rpartition("\n")[2].partition(" ")
    return word, rest


def _refuse(what: str, out: str) -> NoReturn:
    words = out.strip()
    raise SiteError(f"{what}: {words or 'it said nothing'}.", cause=_cause(words), says=words)


def _cause(words: str) -> FailureCause:
    full = any(sign in words for sign in ("No space left", "quota", "Quota"))
    return FailureCause.QUOTA if full else FailureCause.CONFIGURATION
