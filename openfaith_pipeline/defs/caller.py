"""Who waits, in the same process, for a run: hears its progress and its results, and may stop it."""

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import dagster as dg

from openfaith_pipeline.database import Database
from openfaith_pipeline.results import Progress, StreamResult
from openfaith_pipeline.transform import TransformResult
from openfaith_pipeline.workplace import BUSY_PATIENCE_SECONDS

T = TypeVar("T")


@dataclass
class Caller:
    """Someone waiting for one run of one org.

    database: what the caller has open already.
    records_sync: whether the caller itself records the beginning and the end of the sync.
    patience_seconds: how long a stream is waited for that another sync holds.
    streams, tables: what the run has reported so far.
    errors: by op, what its last attempt ended with.
    """

    database: Database | None = None
    progress: Progress | None = None
    records_sync: bool = False
    patience_seconds: float = BUSY_PATIENCE_SECONDS
    streams: dict[str, StreamResult] = field(default_factory=dict)
    tables: dict[str, TransformResult] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    _is_stopped: bool = False
    _running: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end in an event loop of this thread; raise Dagster's interruption when stopped."""
        # Not in uvloop: it swallows what a signal handler raises, which is how Dagster ends a run that is terminated.
        try:
            return asyncio.run(self._tracked(work))
        except asyncio.CancelledError:
            raise dg.DagsterExecutionInterruptedError from None

    def stop(self) -> None:
        """Cancel what runs now, and whatever would be run later. May be called from any thread."""
        with self._lock:
            self._is_stopped = True
            if self._running:
                loop, task = self._running
                loop.call_soon_threadsafe(task.cancel)

    def hear_streams(self, results: Mapping[str, StreamResult]) -> None:
        """Take over how streams ended; a later attempt of the run tells the earlier ones' too."""
        self.streams.update(results)

    def hear_tables(self, results: Mapping[str, TransformResult]) -> None:
        """Take over what changed in canonical tables."""
        self.tables.update(results)

    async def _tracked(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(work)
        with self._lock:
            self._running = asyncio.get_running_loop(), task
            if self._is_stopped:
                task.cancel()
        try:
            return await task
        finally:
            with self._lock:
                self._running = None


CALLER: Final[ContextVar[Caller | None]] = ContextVar("caller", default=None)


def current_caller() -> Caller:
    """The caller of the run that executes in this thread, or one that nobody listens to."""
    return CALLER.get() or Caller()
