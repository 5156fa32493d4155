"""The sign of life of the process that executes a run."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import DatabaseUnavailable
from openfaith_pipeline.load.run_leases import BEAT_EVERY, beat, forget_old_beats

_log = logging.getLogger(__name__)


@contextmanager
def beating(database: Database, run_id: str) -> Iterator[None]:
    """Beat for the run, from a thread, for as long as the context lasts."""
    with database.connect() as connection:
        forget_old_beats(connection)
        beat(connection, run_id)
    is_over = threading.Event()
    thread = threading.Thread(target=_beat_until, args=(is_over, database, run_id), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _beat_until(is_over: threading.Event, database: Database, run_id: str) -> None:
    while not is_over.wait(BEAT_EVERY.total_seconds()):
        try:
            with database.connect() as connection:
                beat(connection, run_id)
        except DatabaseUnavailable as error:
            _log.warning("no sign of life given, trying on: %s", error)
