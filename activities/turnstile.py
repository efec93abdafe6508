"""So many at once, and the others in order of their turns."""

import asyncio

from howdah.precedence import precedence
from howdah.turns import Turn, Turns


class Turnstile:
    """Used with `async with`. A place that is left goes to whose turn it is, never to one who only just comes."""

    def __init__(self, places: int, turns: Turns | None = None) -> None:
        self._free = places
        self._turns = turns or Turns()
        self._waiting: dict[Turn, asyncio.Future[None]] = {}

    async def __aenter__(self) -> None:
        if self._free > 0:
            self._free -= 1
            return
        turn = self._turns.of(precedence(), self._waiting)
        called = self._waiting[turn] = asyncio.get_running_loop().create_future()
        try:
            await called
        except asyncio.CancelledError:
            self._waiting.pop(turn, None)
            if not called.cancelled():
                self._leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        while self._waiting:
            turn = min(self._waiting)
            called = self._waiting.pop(turn)
            if not called.done():
                self._turns.came(turn)
                called.set_result(None)
                return
        self._free += 1
