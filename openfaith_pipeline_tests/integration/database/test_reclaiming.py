"""The bytes of removed rows are given back once nobody can see the rows any more."""

from threading import Timer

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.reclaiming import reclaim


def test_a_reader_who_still_sees_the_removed_rows_is_waited_for(database: Database) -> None:
    with database.connect(autocommit=True) as ours, database.connect() as reader:
        ours.execute("CREATE TABLE public.planted AS SELECT 'a name' AS value")
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT 1")  # a snapshot, without a lock on the table
        ours.execute("DELETE FROM public.planted")
        leaving = Timer(1.0, reader.rollback)
        leaving.start()
        done = reclaim(ours, ["public.planted"])
        leaving.join()
        assert ours.execute("SELECT pg_relation_size('public.planted')").fetchone() == (0,)
    assert "public.planted" in done.rewritten
