"""Second attempts with refused credentials before they count as dead: a single 401 proves nothing.

A new token has been seen refused for a second and a half after it was made, and one request in thousands for no reason.
If many calls are refused at once, one of them tries again, and the others use its result.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from openfaith_pipeline.catalog.reading import Document
from openfaith_pipeline.errors import ConnectionRejected, UnexpectedResponse

Look = Callable[[], Awaitable[Document]]
"""Sends the request again."""


@dataclass
class SecondLooks:
    """A client's knowledge about its credentials.

    waits: before each attempt. dead: the refusal that was final; later ones are not checked again.
    """

    waits: Sequence[timedelta]
    dead: str | None = None
    _accepted: int = 0
    _door: asyncio.Lock = field(default_factory=asyncio.Lock)

    def accepted(self) -> None:
        """Record a response that accepts the credentials."""
        self._accepted += 1

    @property
    def is_accepting(self) -> bool:
        """Whether the credentials were accepted, and not refused for good since."""
        return self._accepted > 0 and self.dead is None

    def refusal(self) -> int:
        """A marker of the current time, to find out later whether the credentials were accepted since."""
        return self._accepted

    async def again(self, mark: int, look: Look) -> Document:
        """The response, once the request is no longer refused.

        mark: from `refusal`, taken before the request was sent. Raises ConnectionRejected if the credentials are dead,
        and UnexpectedResponse if only this request is refused and others with the same credentials are not.
        """
        if self._accepted > mark:
            with suppress(ConnectionRejected):
                return await look()
        async with self._door:
            if self._accepted > mark:  # while this one waited for its turn
                with suppress(ConnectionRejected):
                    return await look()
            return await self._look(look)

    async def _look(self, look: Look) -> Document:
        refusal, mark = ConnectionRejected(self.dead or ""), self._accepted
        for wait in () if self.dead else self.waits:
            mark = self._accepted
            await asyncio.sleep(wait.total_seconds())
            try:
                return await look()
            except ConnectionRejected as again:
                refusal = again
        if self._accepted > mark:
            raise UnexpectedResponse(f"{refusal}; other requests with the same credentials succeed") from None
        self.dead = str(refusal)
        raise refusal
