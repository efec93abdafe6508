"""One large file on its way to the site: a part that grows, is verified there, and gets the file's name."""

import secrets
from hashlib import sha256

from howdah.activities.staging.arrivals import Arrivals, mode_of
from howdah.activities.staging.cache import Cache
from howdah.activities.staging.delivery import Delivery
from howdah.activities.staging.digests import DIGESTS
from howdah.activities.staging.filling import Content
from howdah.activities.staging.inputs import Incoming
from howdah.activities.staging.names import as_data
from howdah.activities.staging.reading import is_change, path_of
from howdah.activities.staging.scripts import INCOMING, parts
from howdah.activities.staging.shared import Shared
from howdah.activities.staging.sizes import Sizes
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError
from howdah.models.job import Attempt


class Large:
    """`left` are the names of what an earlier try left in the job's folder for what comes in."""

    def __init__(
        self,
        shell: Shell,
        attempt: Attempt,
        sizes: Sizes,
        arrivals: Arrivals,
        *,
        cache: Cache | None,
        downloads: bool,
        left: frozenset[str],
    ) -> None:
        self._attempt, self._arrivals, self._left = attempt, arrivals, left
        self._copies = f"{secrets.token_hex(6)}.copy"  # an earlier try may have left a script running that makes one
        self._delivery = Delivery(shell, attempt, sizes, arrivals.telling, downloads=downloads)
        self._cache = cache
        self._shared = Shared(attempt, sizes, arrivals, cache, self._delivery) if cache else None

    async def send(self, item: Incoming) -> None:
        content = await self._known(item)
        copy = f"{INCOMING}/{_name(item, self._copies)}"
        if content and self._shared and await self._shared.bring(item, content, copy):
            return
        await self._directly(item)

    async def _known(self, item: Incoming) -> Content | None:
        """What the cache needs to know. None when it is not for the cache."""
        source = item.source
        if self._cache is None or source.size is None or not self._cache.takes(source.size):
            return None
        if source.sha256:
            return source.size, source.sha256
        if path := path_of(item):
            try:
                return await DIGESTS.of(path)
            except DataError as error:
                if not is_change(error):
                    raise
        return None

    async def _directly(self, item: Incoming) -> None:
        name = _name(item, "part")

        def finish(size: int | None, digest: str | None) -> str:
            return parts.finish(self._attempt, part, size=size, sha256=digest, mode=mode_of(item))

        part = f"{INCOMING}/{name}"
        content, how = await self._delivery.deliver(item, part, finish, fresh=name not in self._left)
        self._arrivals.file(item, *content, how)


def _name(item: Incoming, kind: str) -> str:
    """A word for the shell, so not the file's own name. A part is compared block by block, so it need not tell
    what content it is to have."""
    return f"{sha256(as_data([item.path])).hexdigest()[:20]}.{kind}"
