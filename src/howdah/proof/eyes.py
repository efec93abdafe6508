"""The prover's own way to the site: it looks where howdah does not, and asks through a connection of its own.

The connection does not lead through the wire, so that it works while howdah's own is cut.
"""

import asyncio
import shlex
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress

from howdah.activities import folder
from howdah.activities.transports import Transport
from howdah.activities.transports.shell import Shell
from howdah.errors import SiteError
from howdah.models.sites import Site
from howdah.plugins import TransportKind, find, load
from howdah.proof import ledger
from howdah.proof.batch_jobs import WITNESSES, Unanswered, Witness
from howdah.proof.ledger import Entry
from howdah.proof.verdict import Seen

MARK = "howdah-prove"
"""A file in the folder of a proof: only what carries it is ever removed."""
PATIENCE = 300.0
"""Seconds in which a site that is out of order on purpose has to answer the prover again."""


class Eyes:
    """`token` is this proof's own part of every name. `ledger` and `root` are absolute folders at the site, known
    once it was entered."""

    def __init__(self, site: Site, token: str, *, every: float) -> None:
        self.site, self.token, self.every = site, token, every
        self.root = self.ledger = ""
        self.looks = 0
        """Questions put to the scheduler so far."""
        self._shell = Shell(_transport(site), prelude=site.prelude, sessions=2)
        self._witness = _witness(site.kind, f"hd-{token}-")
        self._seen: dict[tuple[str, str], Seen] = {}

    @property
    def counts(self) -> bool:
        return self._witness is not None and self._witness.counts_submissions

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Make the folder of the proof. Whatever became of it, nothing of ours is left running at the site."""
        scratch = folder.scratch(self.site)
        made = await self._run(
            f"S={scratch}; D=$S/.{self.token}\n"
            f'mkdir -p "$D/ledger" && cd "$D" && echo {self.token} >{MARK} && printf "root %s\\n" "$(pwd -P)"\n'
        )
        self.root = next(line[5:] for line in made.split("\n") if line.startswith("root "))
        self.ledger = f"{self.root}/ledger"
        try:
            yield
        finally:
            await self._shell.close()

    async def read_ledger(self) -> tuple[Entry, ...]:
        return ledger.read(await self._patiently(ledger.show(self.ledger)))

    async def note_told(self, keys: Collection[str]) -> None:
        if keys:
            await self._patiently(ledger.note_told(self.ledger, keys))

    async def look(self) -> tuple[Seen, ...]:
        """What the scheduler has now. Raises: Unanswered, SiteError."""
        if self._witness is None:
            return ()
        self.looks += 1
        now = self._witness.read(await self._run(self._witness.look(), within=90))
        self._remember(now)
        return now

    async def look_back(self) -> tuple[Seen, ...]:
        """Every batch job there was, alive or not as it is now."""
        if self._witness is None:
            return ()
        now = await self._until_it_answers()
        with suppress(SiteError, Unanswered):
            self._remember(self._witness.read(await self._run(self._witness.history(), within=90)))
        living = {row for row in now if row.alive}
        ended = (row._replace(alive=False) for row in self._seen.values())
        return (*living, *(row for row in ended if (row.native_id, row.key) not in {one[:2] for one in living}))

    async def keep_looking(self) -> None:
        """Schedulers forget what has ended: whoever wants to count must look while it is there."""
        while self.counts:
            with suppress(SiteError, Unanswered):
                await self.look()
            await asyncio.sleep(self.every)

    async def end(self, native_ids: Sequence[str]) -> None:
        if self._witness is not None and native_ids:
            await self._patiently(self._witness.end(native_ids))

    async def queries(self) -> int | None:
        """How many questions about jobs the site's scheduler has answered so far, to anybody."""
        if self._witness is None:
            return None
        try:
            counts = (await self._run(self._witness.queries())).split()
        except (SiteError, Unanswered):
            return None
        return sum(map(int, counts)) if counts and all(count.isdecimal() for count in counts) else None

    async def end_all(self) -> None:
        """End what is left at the site of this proof; called when it is over, however that came."""
        if self._witness is None:
            return
        for _ in range(30):
            living = [row.native_id for row in await self._until_it_answers() if row.alive]
            if not living:
                return
            await self.end(living)
            await asyncio.sleep(1)

    async def remove(self) -> None:
        """The folder of the proof, if it is one."""
        await self._run(
            f'cd {shlex.quote(self.root)} && [ "$(cat {MARK})" = {self.token} ] && cd .. && '
            f"chmod -R u+rwX {shlex.quote(self.root)} && rm -rf {shlex.quote(self.root)}\n",
            within=600,
        )

    async def _until_it_answers(self) -> tuple[Seen, ...]:
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                return await self.look()
            except (SiteError, Unanswered):
                if time.monotonic() > give_up:
                    raise
            await asyncio.sleep(2)

    async def _patiently(self, script: str) -> str:
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                return await self._run(script)
            except SiteError as error:
                if time.monotonic() > give_up or not error.transient:
                    raise
            await asyncio.sleep(1)

    async def _run(self, script: str, *, within: float = 60.0) -> str:
        answer = await self._shell.run(script, within=within)
        if answer.code:
            raise Unanswered(f"{answer.out} {answer.errors}".strip() or f"exit code {answer.code}")
        return answer.out

    def _remember(self, rows: Collection[Seen]) -> None:
        self._seen.update({(row.native_id, row.key): row for row in rows})


def _transport(site: Site) -> Transport:
    transport: Transport = load(find(TransportKind, site.transport, what="transport").driver)(site)
    return transport


def _witness(kind: str, prefix: str) -> Witness | None:
    found = WITNESSES.get(kind)
    return found(prefix) if found else None
