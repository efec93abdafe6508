"""A large file until the site has it right, or until it is known what is to blame."""

from collections.abc import Callable

from howdah.activities.staging.arrivals import How
from howdah.activities.staging.digests import DIGESTS
from howdah.activities.staging.direct import download
from howdah.activities.staging.filling import Content, Filling
from howdah.activities.staging.inputs import Incoming
from howdah.activities.staging.names import as_data
from howdah.activities.staging.reading import as_promised, changing, is_change, path_of
from howdah.activities.staging.refusals import damaged, refusal
from howdah.activities.staging.scripts import DIFFERENT, parts
from howdah.activities.staging.sizes import Sizes, patience
from howdah.activities.staging.telling import Telling
from howdah.activities.staging.together import once
from howdah.activities.storage import Ticketed
from howdah.activities.transports.shell import Answer, Shell
from howdah.errors import DataError, OutcomeUnknown
from howdah.models.job import Attempt
from howdah.models.printable import printable

Finish = Callable[[int | None, str | None], str]
"""The script that verifies a part and gives it its name, from the size and the sum that it has to have."""


class Delivery:
    def __init__(self, shell: Shell, attempt: Attempt, sizes: Sizes, telling: Telling, *, downloads: bool) -> None:
        self._shell, self._attempt, self._sizes, self._telling = shell, attempt, sizes, telling
        self._downloads = downloads

    async def deliver(self, item: Incoming, part: str, finish: Finish, *, fresh: bool) -> tuple[Content, How]:
        """Raises DataError: input_changed, transfer when it arrives wrong again and again, what the site refuses."""
        filling = Filling(self._shell, self._attempt, self._sizes, self._telling, item=item, path=part)
        if self._downloads and isinstance(item.storage, Ticketed):
            fresh = False
            if content := await self._downloaded(item, part, finish):
                return content, How.DOWNLOADED
        trouble = changing(item)
        for _ in range(self._sizes.tries):
            try:
                content = await filling.fill(fresh=fresh)
            except DataError as error:
                if not is_change(error):
                    filling.again()  # it may yet go another way
                    raise
                trouble = changing(item)
            else:
                as_promised(item, content[1])
                if (await self.ask(item, finish(*content))).code != DIFFERENT:
                    return content, How.SENT
                trouble = await self._verdict(item, content)
            filling.again()
            fresh = False
        raise trouble

    async def ask(self, item: Incoming, script: str) -> Answer:
        """Run a script that takes the final name."""
        name = as_data([item.path, parts.END])
        answer = await self._shell.send(script, once(name), idle=patience(item.source.size or 1 << 36))
        if error := refusal(answer, self._attempt, printable(item.path)):
            raise error
        return answer

    async def _downloaded(self, item: Incoming, part: str, finish: Finish) -> Content | None:
        """None when it has to be sent after all: that will tell whether the source is other than promised."""
        if not await download(self._shell, self._attempt, item, part, telling=self._telling):
            return None
        answer = await self.ask(item, finish(item.source.size, item.source.sha256))
        if answer.code != DIFFERENT:
            return _content(answer)
        self._telling.again(item.source.size or 0)
        return None

    async def _verdict(self, item: Incoming, sent: Content) -> DataError:
        """Why the site has another sum. Raises DataError when the source is not what it was promised to be."""
        if path := path_of(item):
            try:
                _, now = await DIGESTS.of(path, anew=True)
            except DataError:  # gone, or changing right now: the next try says so
                return changing(item)
            as_promised(item, now)
            if now != sent[1]:
                return changing(item)
        return damaged(printable(item.path), self._attempt)


def _content(answer: Answer) -> Content:
    digest, _, size = answer.out.strip().partition(" ")
    if len(digest) != 64 or not size.isdecimal():
        raise OutcomeUnknown("The site does not say what it has got.", says=answer.out)
    return int(size), digest
