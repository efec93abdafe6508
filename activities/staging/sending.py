"""Small files on their way to the site, in packs."""

import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import aclosing

from howdah.activities.staging.arrivals import Arrivals
from howdah.activities.staging.inputs import Incoming
from howdah.activities.staging.manifest import Entry
from howdah.activities.staging.packing import Packing
from howdah.activities.staging.reading import Kept
from howdah.activities.staging.refusals import damaged, refusal
from howdah.activities.staging.scripts import incoming
from howdah.activities.staging.sizes import Sizes, patience
from howdah.activities.transports.shell import Shell
from howdah.models.job import Attempt
from howdah.models.printable import printable

_NAMED = 3


class Sending:
    def __init__(self, shell: Shell, attempt: Attempt, sizes: Sizes, arrivals: Arrivals) -> None:
        self._shell, self._attempt, self._sizes, self._arrivals = shell, attempt, sizes, arrivals
        self._packing = Packing(sizes, arrivals)
        self._run = secrets.token_hex(6)
        self._packs = 0

    async def send(
        self, pack: Sequence[Incoming], *, last: Callable[[], bytes] | None = None, first: bool = False
    ) -> bool:
        """The last pack brings the manifest. False when it was to be the `first` thing there, and is not."""
        wrong = ""
        for _ in range(self._sizes.tries):
            self._packs += 1
            script = incoming.unpack(self._attempt, f"{self._run}.{self._packs}", first=first)
            files: list[Entry] = []
            kept = Kept(self._packing.stream(pack, files, last))
            try:
                async with aclosing(kept.chunks()) as chunks:
                    answer = await self._shell.send(script, chunks, idle=patience(self._sizes.pack_bytes))
            except Exception as error:
                raise kept.error or error from None
            if answer.code == incoming.BEGUN:
                self._again(pack)
                return False
            if refused := refusal(answer, self._attempt, _name_of(pack)):
                raise refused
            if answer.code == 0:
                return True
            wrong = _differing(answer.out, files) or _name_of(pack)
            self._again(pack)
            first = False
        raise damaged(wrong, self._attempt)

    def _again(self, pack: Sequence[Incoming]) -> None:
        """The stream may have been let go of before its end: only what was packed by then counted as arrived."""
        packed = [self._arrivals.entries.pop(item.path, None) for item in pack]
        files = [entry for entry in packed if entry and entry.sha256]
        self._arrivals.telling.again(sum(entry.size for entry in files), files=len(files))


def _differing(cmp: str, files: Sequence[Entry]) -> str:
    """The file whose sum is in the line that `cmp` names; empty when it names none."""
    line = re.search(r" line (\d+)$", cmp.strip())
    return printable(files[int(line[1]) - 1].path) if line and 0 < int(line[1]) <= len(files) else ""


def _name_of(pack: Sequence[Incoming]) -> str:
    if not pack:
        return "the list of inputs"
    names = ", ".join(printable(item.path) for item in pack[:_NAMED])
    return f"{names} and {len(pack) - _NAMED} more small files" if len(pack) > _NAMED else names
