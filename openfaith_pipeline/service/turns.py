"""Fair turns: few calls are processed at a time, fewer of one caller, and waiting callers take turns.

All calls share one event loop: a caller that sends many at once would otherwise delay everybody else.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from openfaith_pipeline.errors import InboxFull


class Turns:
    """Gives turns to callers, for one event loop.

    at_once: limit for all calls. of_one: for one caller. most_waiting: of one caller; more are refused.
    patience: seconds to wait for a turn.
    rest: factor by which a turn is prolonged idly, so that a caller with constant demand leaves most of the time to
    others.
    """

    def __init__(
        self, *, at_once: int = 16, of_one: int = 4, most_waiting: int = 100, patience: float = 5.0, rest: float = 0.0
    ) -> None:
        self._at_once, self._of_one = at_once, of_one
        self._most_waiting, self._patience, self._rest = most_waiting, patience, rest
        self._running: Counter[Hashable] = Counter()
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()
        """Waiting calls by caller, ordered by whose turn is next."""

    @asynccontextmanager
    async def turn(self, caller: Hashable) -> AsyncIterator[None]:
        """Run the block when it is the caller's turn.

        Raises InboxFull if too many of the caller's calls are waiting.
        """
        if caller in self._waiting or not self._has_room(caller):
            await self._wait(caller)
        else:
            self._running[caller] += 1
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            yield
        finally:
            if self._rest:
                loop.call_later((loop.time() - began) * self._rest, self._end, caller)
            else:
                self._end(caller)

    def _has_room(self, caller: Hashable) -> bool:
        return self._running.total() < self._at_once and self._running[caller] < self._of_one

    async def _wait(self, caller: Hashable) -> None:
        waiting = self._waiting.setdefault(caller, deque())
        if len(waiting) >= self._most_waiting:
            raise InboxFull("too many deliveries are being received; send it again")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            async with asyncio.timeout(self._patience):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # its turn came at that very moment
                self._end(caller)
            else:
                self._forget(caller, turn)
            if isinstance(error, TimeoutError):
                raise InboxFull("the delivery waited too long for its turn; send it again") from None
            raise

    def _forget(self, caller: Hashable, turn: asyncio.Future[None]) -> None:
        """Take back a turn that nobody waits for any longer. `_next_of` may have reached it first."""
        waiting = self._waiting.get(caller)
        if waiting is None or turn not in waiting:
            return
        waiting.remove(turn)
        if not waiting:
            del self._waiting[caller]

    def _end(self, caller: Hashable) -> None:
        self._running[caller] -= 1
        if not self._running[caller]:
            del self._running[caller]
        while following := next((each for each in self._waiting if self._has_room(each)), None):
            if turn := self._next_of(following):
                self._running[following] += 1
                turn.set_result(None)
                return

    def _next_of(self, caller: Hashable) -> asyncio.Future[None] | None:
        """The caller's oldest turn that is still waited for; the caller then stands behind all others.

        One that timed out is cancelled some moments before its task gets to say so.
        """
        waiting = self._waiting.pop(caller)
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                if waiting:
                    self._waiting[caller] = waiting
                return turn
        return None
