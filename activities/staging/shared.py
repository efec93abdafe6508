"""A large file by way of the site's cache, which other jobs there share."""

import asyncio

from howdah.activities.staging.arrivals import Arrivals, How, mode_of
from howdah.activities.staging.cache import Cache
from howdah.activities.staging.delivery import Delivery
from howdah.activities.staging.filling import Content
from howdah.activities.staging.inputs import Incoming
from howdah.activities.staging.scripts import cache as scripts
from howdah.activities.staging.sizes import Sizes
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt

_PAUSES = (1, 2, 4, 8, 15)
"""Seconds between looks whether another process is done; the last one again and again."""
_NOT_THE_CACHE = (FailureCause.INPUT_CHANGED, FailureCause.INPUT_MISSING, FailureCause.PURGED)
"""Whatever else goes wrong may be the cache's fault."""


class Shared:
    def __init__(self, attempt: Attempt, sizes: Sizes, arrivals: Arrivals, cache: Cache, delivery: Delivery) -> None:
        self._attempt, self._sizes, self._arrivals = attempt, sizes, arrivals
        self._cache, self._delivery = cache, delivery

    async def bring(self, item: Incoming, content: Content, copy: str) -> bool:
        """`copy`: where in the job's folder its own copy is verified. False when the cache is of no use here."""
        pauses = iter(_PAUSES)
        while True:
            async with self._cache.turn(content[1], self._attempt.key) as ours:
                word, _, more = (await self._take(item, content, copy, claim=ours)).partition(" ")
                match word:
                    case scripts.TAKEN:
                        self._cache.has(content[1])
                        self._arrivals.file(item, *content, How.CACHE)
                        return True
                    case scripts.OURS:
                        return await self._send(item, content, copy, fresh=not more)
                    case scripts.BUSY:
                        self._arrivals.telling.now()
                        if not self._cache.inherits(content[1], more):
                            await asyncio.sleep(next(pauses, _PAUSES[-1]))
                    case scripts.ABSENT:
                        self._cache.lost(content[1])
                    case _:
                        return False

    async def _take(self, item: Incoming, content: Content, copy: str, *, claim: bool) -> str:
        size, digest = content
        stale = self._sizes.stale + size / 50e6  # it stands still while it is copied and summed
        key = self._cache.key(digest, self._attempt.key) if claim else None
        script = scripts.take(self._attempt, digest, copy=copy, mode=mode_of(item), claim=key, stale=stale)
        return (await self._delivery.ask(item, script)).out.strip()

    async def _send(self, item: Incoming, content: Content, copy: str, *, fresh: bool) -> bool:
        size, digest = content
        key = self._cache.key(digest, self._attempt.key)

        def keep(_: int | None, __: str | None) -> str:
            mode, limit = mode_of(item), self._cache.size
            return scripts.keep(self._attempt, digest, copy=copy, size=size, mode=mode, limit=limit)

        try:
            _, how = await self._delivery.deliver(item, scripts.part_of(digest), keep, fresh=fresh)
        except DataError as error:
            await self._delivery.ask(item, scripts.give_up(self._attempt, digest, key))
            self._cache.gave_up(digest)
            if error.cause in _NOT_THE_CACHE:
                raise
            return False
        self._cache.has(digest)
        self._arrivals.file(item, size, digest, how)
        return True
