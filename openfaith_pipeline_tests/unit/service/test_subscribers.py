"""One query serves all concurrent lookups of an unknown org; one that comes as it ends waits for the next query."""

import asyncio
from itertools import count
from threading import Thread
from typing import Any, cast

from openfaith_pipeline.service.subscribers import Subscribers

ORG = "org_01k5t0w2m1e9qv4y8z3n7b6c5d"


class Gated(Subscribers):
    """Each query ends when the test says so."""

    def __init__(self) -> None:
        moments = count()
        super().__init__(cast("Any", None), lambda: float(next(moments)))
        self.gates: asyncio.Queue[asyncio.Future[None]] = asyncio.Queue()

    async def _look(self) -> None:
        began_at = self._clock()
        gate = asyncio.get_running_loop().create_future()
        self.gates.put_nowait(gate)
        await gate
        self._began_at = began_at


async def ask_as_the_first_query_ends() -> list[bool]:
    subscribers = Gated()
    first = asyncio.create_task(subscribers.has(ORG))
    (await subscribers.gates.get()).set_result(None)
    # Its first step comes right after the last one of the query, before anybody has heard of the query's end.
    second = asyncio.create_task(subscribers.has(ORG))
    (await subscribers.gates.get()).set_result(None)
    return [await first, await second]


def test_who_comes_as_a_query_ends_does_not_stop_the_service() -> None:
    answers: list[bool] = []
    thread = Thread(target=lambda: answers.extend(asyncio.run(ask_as_the_first_query_ends())), daemon=True)
    thread.start()
    thread.join(10)
    assert answers == [False, False]
