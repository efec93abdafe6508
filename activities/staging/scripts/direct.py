"""A site fetches a file by itself. The URL and all that goes with it come on standard input, for curl's eyes only."""

from howdah.activities.staging.scripts import ROOM, enter
from howdah.models.job import Attempt

GONE, REFUSED, NO_CURL, AT, ROOM_IS, ENDED = "gone", "refused", "nocurl", "at", "room", "ended"
"""The first words of the lines that go out."""

_SAME_MACHINE = f"""
set -- $SSH_CONNECTION
case "${{1:-127.}} ${{3:-127.}}" in
  "127."*" 127."* | "::1 ::1") ;;
  *) echo {AT} 0; echo {ENDED} 7 0; exit 0 ;;
esac
"""
"""7 is what curl ends with when it cannot connect."""


def fetch(attempt: Attempt, part: str, tag: str, size: int, *, loopback: bool = False) -> str:
    """curl's configuration comes in; lines go out.

    `at BYTES` first and then about once a second; `ended CODE BYTES` as the last, with curl's exit code; before it,
    when nothing more can be stored, `refused WORDS` and `room`, what `df` says. Or just `gone` or `nocurl`.

    What an earlier run left is gone on with only when it was fetched under the same `tag` (a word). Who does not hear
    us any more stops the transfer: a second one may be on its way already. `loopback`: the URL is of the worker's own
    machine; elsewhere nothing is asked for, or the site's own loopback, where anybody may listen, would be.
    """
    return f"""{enter(attempt, f"echo {GONE}; exit 0")}
{_SAME_MACHINE if loopback else ""}
command -v curl >/dev/null 2>&1 || {{ echo {NO_CURL}; exit 0; }}
exec 3<&0
part={part} from={part}.from
folder=${{part%/*}}
size() {{ if [ -f "$part" ]; then wc -c <"$part" | tr -d ' '; else echo 0; fi; }}
if [ -L "$folder" ]; then echo "{REFUSED} $folder is a link"; echo {ENDED} 0 0; exit 0; fi
mkdir -p "$folder" 2>/dev/null
[ ! -L "$part" ] && [ "$(cat "$from" 2>/dev/null)" = {tag} ] && [ "$(size)" -le {size} ] || rm -f "$part" "$from"
echo {tag} >"$from"
: >>"$part"
at=$(size)
echo {AT} "$at"
code=0
if [ "$at" -lt {size} ]; then
  curl -q -s -K - -C - -o "$part" <&3 >/dev/null 2>&1 &
  curl=$!
  (
    trap '' PIPE
    while sleep 1 >/dev/null 2>&1 && kill -0 $curl 2>/dev/null; do
      at=$(size)
      {{ echo {AT} "$at" && [ "$at" -le {size} ]; }} 2>/dev/null || kill $curl 2>/dev/null
    done
  ) 2>/dev/null &
  watch=$!
  wait $curl
  code=$?
  kill $watch 2>/dev/null
fi
if [ $code = 23 ]; then
  words=$(dd if=/dev/zero of="$part.full" bs=65536 count=16 2>&1 | head -n 1)
  rm -f "$part.full"
  echo "{REFUSED} $words"
  echo "{ROOM_IS} $({ROOM})"
fi
[ $code = 0 ] && [ "$(size)" = {size} ] && rm -f "$from"
echo {ENDED} $code "$(size)"
exit 0
"""


def drop(attempt: Attempt, part: str, *, whole: bool) -> str:
    """Forget what `fetch` left: how it came there, and with `whole` the bytes as well."""
    return f"""{enter(attempt)}
rm -f {part}.from {part if whole else ""}
exit 0
"""
