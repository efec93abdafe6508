"""Looking into the job's folder, and reading files there."""

import shlex

from howdah.activities.staging.scripts import enter
from howdah.models.job import Attempt

_FOUND = r"%y\0%s\0%T@\0%m\0%l\0"


def listing(attempt: Attempt) -> str:
    """Out go fields, NUL after each: `there`, six for each entry (type, size, time, mode, link target, name),
    `end`, and what find complained about. Or just `gone`.
    """
    gone = r"printf 'gone\0'; exit 0"
    return f"""{enter(attempt, gone)}
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
    return f"""{enter(attempt)}
printf 'there\\0'
xargs -0 -r sh -c {shlex.quote(look)} sh
printf 'end\\0\\0'
exit 0
"""


def sums(attempt: Attempt) -> str:
    """Names come in; `sha256sum` of each that can be read goes out."""
    return f"""{enter(attempt)}
xargs -0 -r sha256sum
exit 0
"""


def pack(attempt: Attempt) -> str:
    """Names of plain files come in; a tar stream goes out, and after its end what tar complained about."""
    return f"""{enter(attempt)}
exec 3>&1
words=$(tar -c -b 1 --format=gnu --no-recursion --hard-dereference --no-unquote --null -T - -f - 2>&1 1>&3)
printf %s "$words"
exit 0
"""


def content(attempt: Attempt) -> str:
    """The name of one file comes in; its bytes go out."""
    return f"""{enter(attempt)}
xargs -0 cat --
"""
