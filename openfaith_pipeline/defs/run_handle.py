"""Handle of a run executed in this process: receives its progress and results, and can stop it."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import dagster as dg
import psycopg

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.refusals import TROUBLE
from openfaith_pipeline.processes.interrupts import cancel_at_last, interrupts_heard
from openfaith_pipeline.sync.results import Progress, StreamResult
from openfaith_pipeline.sync.worker import BUSY_PATIENCE_SECONDS
from openfaith_pipeline.transform import TransformResult

T = TypeVar("T")

_CANCEL_SECONDS: Final = 5.0


@dataclass
class Caller:
    """A caller waiting for one run of one org.

    database: already opened by the caller.
    records_sync: whether the caller itself records the beginning and the end of the sync.
    patience_seconds: how long to wait for a stream that another sync holds.
    streams, tables: reported by the run so far.
    errors: by op, the error of its last attempt.
    """

    database: Database | None = None
    progress: Progress | None = None
    records_sync: bool = False
    patience_seconds: float = BUSY_PATIENCE_SECONDS
    streams: dict[str, StreamResult] = field(default_factory=dict)
    tables: dict[str, TransformResult] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _running: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
    _connection: psycopg.Connection[Any] | None = None
    # A signal may arrive in the thread that holds it.
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end in an event loop of this thread; raise Dagster's interruption when stopped."""
        try:
            with interrupts_heard(self.stop):
                return asyncio.run(self._tracked(work))
        except asyncio.CancelledError:
            raise dg.DagsterExecutionInterruptedError from None

    def stop(self) -> None:
        """Cancel current and future work. May be called from any thread, and by a signal handler."""
        with self._lock:
            self._stopped.set()
            if self._running:
                loop, task = self._running
                loop.call_soon_threadsafe(cancel_at_last, task)
            if self._connection:
                with suppress(*TROUBLE):
                    self._connection.cancel_safe(timeout=_CANCEL_SECONDS)

    def rest(self, seconds: float) -> None:
        """Sleep; raise Dagster's interruption when stopped."""
        if self._stopped.wait(seconds):
            raise dg.DagsterExecutionInterruptedError

    @contextmanager
    def canceling(self, connection: psycopg.Connection[Any]) -> Iterator[None]:
        """Cancel a statement running on the connection when stopped; raise Dagster's interruption then."""
        with self._lock:
            if self._stopped.is_set():
                raise dg.DagsterExecutionInterruptedError
            self._connection = connection
        try:
            yield
        except TROUBLE:
            if self._stopped.is_set():
                raise dg.DagsterExecutionInterruptedError from None
            raise
        finally:
            with self._lock:
                self._connection = None

    def hear_streams(self, results: Mapping[str, StreamResult]) -> None:
        """Record results of streams; a later attempt of the run includes those of earlier ones."""
        self.streams.update(results)

    def hear_tables(self, results: Mapping[str, TransformResult]) -> None:
        """Record changes of canonical tables."""
        self.tables.update(results)

    async def _tracked(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(work)
        with self._lock:
            self._running = asyncio.get_running_loop(), task
            if self._stopped.is_set():
                task.cancel()
        try:
            return await task
        finally:
            with self._lock:
                self._running = None


CALLER: Final[ContextVar[Caller | None]] = ContextVar("caller", default=None)


def current_caller() -> Caller:
    """The caller of the run in this thread, or one without a listener."""
    return CALLER.get() or Caller()
