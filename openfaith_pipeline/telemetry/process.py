"""Telemetry of this process, from its entry to its end.

While no collector listens, nothing of the SDK is imported and spans cost next to nothing. A thread looks again and
again, so that a collector which is started later receives the telemetry of a process that runs for months.
"""

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.telemetry.collector import Collector, Signal, wanted_signals

LOOK_SECONDS: Final = 15.0
_FLUSH_MILLISECONDS: Final = 3000

_log = logging.getLogger(__name__)


class Role(StrEnum):
    """The part that a process plays, as the resource attribute `openfaith.role`."""

    CLI = "cli"
    SERVICE = "service"
    APPLIER = "applier"
    DAEMON = "daemon"
    CODE_SERVER = "code-server"
    RUN = "run"


class _Sender:
    """The signals of this process, once a collector has been seen."""

    def __init__(self, collector: Collector, signals: Collection[Signal], role: Role) -> None:
        self._collector, self._signals, self._role = collector, signals, role
        self._flush: Callable[[int], None] | None = None

    def begin(self) -> None:
        if not self._look():
            threading.Thread(target=self._look_again, name="telemetry", daemon=True).start()

    def flush(self) -> None:
        if self._flush:
            self._flush(_FLUSH_MILLISECONDS)

    def _look(self) -> bool:
        if not self._collector.is_listening():
            return False
        from openfaith_pipeline.telemetry.exporters import start  # noqa: PLC0415 - see there

        self._flush = start(self._collector, self._signals, self._role)
        return True

    def _look_again(self) -> None:
        pause = threading.Event()
        while not self._look():
            pause.wait(LOOK_SECONDS)


_sender: _Sender | None = None
_lock: Final = threading.Lock()


@contextmanager
def telemetry(settings: Settings, role: Role) -> Iterator[None]:
    """Send telemetry during the block, and the rest of it at its end.

    A process has one role: if it already has one, this one is ignored.
    """
    sender = _sender_for(settings, role)
    try:
        yield
    finally:
        if sender:
            sender.flush()


def _sender_for(settings: Settings, role: Role) -> _Sender | None:
    global _sender  # noqa: PLW0603 - OpenTelemetry's providers are one for each process too
    with _lock:
        if _sender is None and (signals := wanted_signals()):
            try:
                _sender = _Sender(Collector.of(settings), signals, role)
            except ConfigurationError as error:
                _log.warning("no telemetry is sent: %s", error)
                return None
            _sender.begin()
        return _sender
