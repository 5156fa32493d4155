"""Results of an attempt's streams, for which the walks of their children wait."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Route, Walk
from openfaith_pipeline.errors import OpenFaithError, PathNotFound, UnavailableError
from openfaith_pipeline.sync.results import Progress, StreamResult


@dataclass
class Outcomes:
    """mode: of the results made here, a value of SyncMode."""

    mode: str
    progress: Progress
    results: dict[str, StreamResult] = field(default_factory=dict)
    _done: Mapping[str, asyncio.Event] = field(default_factory=dict)

    def expect(self, names: Iterable[str]) -> None:
        """Streams that this attempt will finish. Nobody waits for others."""
        self._done = {name: asyncio.Event() for name in names}

    def finish(self, result: StreamResult) -> None:
        self.results[result.stream] = result
        if result.stream in self._done:
            self._done[result.stream].set()
        self.progress.finished(result)

    def give_up(self, streams: Sequence[Stream], error: OpenFaithError, started: float) -> None:
        status = "unavailable" if isinstance(error, UnavailableError) else "failed"
        for stream in streams:
            self.finish(self.result_of(stream, status, started, error=str(error)))

    def unfinished(self, walk: Walk) -> list[Stream]:
        return [stream for stream in walk.streams if not self._done[stream.name].is_set()]

    def result_of(self, stream: Stream, status: str, started: float, **more: Any) -> StreamResult:
        """started: of the monotonic clock."""
        return StreamResult(stream.name, status, self.mode, seconds=round(monotonic() - started, 3), **more)

    async def wait_for_parents(self, route: Route, walk: Walk) -> None:
        """Wait for the parents in the path, and for streams whose rows have the parents that a shorter path omits.

        Raises PathNotFound if a parent in the path is unavailable, and OpenFaithError if it failed.
        """
        walked = {stream.name for stream in (*walk.leads, *walk.streams)}
        for name in route.lead.parents if route.is_unconfirmed and route.placeholders else ():
            if name in self._done and name not in walked:
                await self._done[name].wait()
        parent = route.lead.parent_of(route.path)
        if parent is None or parent not in self._done:
            return
        await self._done[parent].wait()
        outcome = self.results[parent]
        if outcome.status == "unavailable":
            raise PathNotFound(f"its parent {parent} is unavailable: {outcome.error}")
        if outcome.status == "failed":
            raise OpenFaithError(f"its parent {parent} failed")
