"""The bytes of removed rows are given back once nobody can see the rows any more."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any

import pytest
from psycopg import Connection

from openfaith_pipeline.database import Database, reclaiming
from openfaith_pipeline.database.reclaiming import reclaim
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline_tests.integration.privacy.planting import files_with


@contextmanager
def reading_for_a_second(reader: Connection[Any]) -> Iterator[None]:
    reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    reader.execute("SELECT 1")  # a snapshot, without a lock on a table
    leaving = Timer(1.0, reader.rollback)
    leaving.start()
    yield
    leaving.join()


def test_a_reader_who_still_sees_the_removed_rows_is_waited_for(database: Database) -> None:
    with database.connect(autocommit=True) as ours, database.connect() as reader:
        ours.execute("CREATE TABLE public.planted AS SELECT 'a name' AS value")
        with reading_for_a_second(reader):
            ours.execute("DELETE FROM public.planted")
            done = reclaim(ours, ["public.planted"])
        assert ours.execute("SELECT pg_relation_size('public.planted')").fetchone() == (0,)
    assert "public.planted" in done.rewritten


def test_a_reader_who_came_after_the_removal_keeps_no_samples_of_the_removed_rows(
    database: Database, postgres: RunningServer
) -> None:
    value = "Plantagenet 4711"
    with database.connect(autocommit=True) as ours, database.connect() as reader:
        ours.execute("CREATE TABLE public.planted AS SELECT 'kept' AS value FROM generate_series(1, 50)")
        ours.execute("INSERT INTO public.planted SELECT %s FROM generate_series(1, 50)", (value,))
        ours.execute("ANALYZE public.planted")
        assert {"planted", "pg_statistic"} <= {*files_with(postgres, database, value)}
        ours.execute("DELETE FROM public.planted WHERE value = %s", (value,))
        with reading_for_a_second(reader):
            reclaim(ours, ["public.planted"])
    assert files_with(postgres, database, value) == []


def test_a_backup_that_holds_every_table_is_waited_for_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every later user of a table waits behind the rewriting that waits for it."""
    monkeypatch.setattr(reclaiming, "_PATIENCE", "3s")
    names = [f"public.held_{number}" for number in range(6)]
    with database.connect(autocommit=True) as ours, database.connect() as backup:
        for name in names:
            ours.execute(f"CREATE TABLE {name} AS SELECT 1 AS value")
        backup.execute(f"LOCK TABLE {', '.join(names)} IN ACCESS SHARE MODE")
        began = time.monotonic()
        done = reclaim(ours, names)
    assert done.vacuumed == names
    assert 3 < time.monotonic() - began < 12, "six times three seconds, had it been as patient with each"
