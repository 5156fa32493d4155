"""Refused credentials are tried again before they are called dead: one 401 is not Planning Center's last word.

A token has been seen to be refused for a second and a half after it was made, and one request of thousands for no
reason. Of all calls that are refused at once, one looks again, and the others act on what it finds.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from openfaith_pipeline.errors import ConnectionRejected, UnexpectedResponse
from openfaith_pipeline.planning_center.documents import Document

Look = Callable[[], Awaitable[Document]]
"""Send the request again."""


@dataclass
class SecondLooks:
    """What one client knows of its credentials.

    waits: before each of the looks. dead: the refusal that was believed, after which no other is looked into.
    """

    waits: Sequence[timedelta]
    dead: str | None = None
    _accepted: int = 0
    _door: asyncio.Lock = field(default_factory=asyncio.Lock)

    def accepted(self) -> None:
        """An answer came that accepts the credentials."""
        self._accepted += 1

    def refusal(self) -> int:
        """A mark of now, to tell later whether the credentials were accepted since."""
        return self._accepted

    async def again(self, mark: int, look: Look) -> Document:
        """The answer, once the request is not refused any more.

        mark: of `refusal`, before the request was sent. Raises ConnectionRejected where the credentials are dead, and
        UnexpectedResponse where only this request is refused and others with the same credentials are not.
        """
        if self._accepted > mark:
            with suppress(ConnectionRejected):
                return await look()
        async with self._door:
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
            raise UnexpectedResponse(f"{refusal}; other requests with the same credentials are answered") from None
        self.dead = str(refusal)
        raise refusal
