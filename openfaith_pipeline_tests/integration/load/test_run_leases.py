from datetime import timedelta

from openfaith_pipeline.database import Database
from openfaith_pipeline.load.run_leases import beat, forget_old_beats, silence_of


def test_silence_is_counted_from_the_last_beat(database: Database) -> None:
    with database.connect() as connection:
        assert silence_of(connection, "run") is None
        beat(connection, "run")
        connection.execute("UPDATE sync.run_leases SET beat_at = now() - interval '1 minute'")
        assert silence_of(connection, "run").lasts == timedelta(minutes=1)
        beat(connection, "run")
        assert silence_of(connection, "run").lasts == timedelta(0)


def test_runs_that_ended_long_ago_are_forgotten(database: Database) -> None:
    with database.connect() as connection:
        beat(connection, "old")
        connection.execute("UPDATE sync.run_leases SET beat_at = now() - interval '2 days'")
        beat(connection, "new")
        forget_old_beats(connection)
        assert silence_of(connection, "old") is None
        assert silence_of(connection, "new") is not None
