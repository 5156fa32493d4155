"""Heartbeat of the process that executes a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.beats import beating_in_thread
from openfaith_pipeline.load.run_leases import BEAT_EVERY, beat, forget_old_beats


@contextmanager
def beating(database: Database, run_id: str) -> Iterator[None]:
    """Beat for the run, from a thread, for as long as the context lasts; DatabaseUnavailable when that cannot begin."""
    with database.connect() as connection:
        forget_old_beats(connection)
        beat(connection, run_id)
    with beating_in_thread(database, partial(beat, run_id=run_id), every_seconds=BEAT_EVERY.total_seconds()):
        yield
