"""A statement whose caller is interrupted is canceled in the server, whatever the interrupt is."""

import signal
import time
from types import FrameType

import pytest

from openfaith_pipeline.database import Database


class Terminated(BaseException):
    """As Dagster raises in a run that is terminated."""


def terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


def test_an_interrupt_that_is_no_keyboard_interrupt_cancels_the_statement(database: Database) -> None:
    before = signal.signal(signal.SIGALRM, terminate)
    try:
        with database.connect() as connection:
            connection.execute("CREATE TABLE kept_by_it (id int)")
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            began_at = time.monotonic()
            with pytest.raises(Terminated):
                connection.execute("SELECT pg_sleep(30)")
            assert time.monotonic() - began_at < 5
            connection.rollback()
            assert connection.execute("SELECT 1").fetchone() == (1,), "the connection is still good"
            others = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
            )
            assert others.fetchone() == (0,)
    finally:
        signal.signal(signal.SIGALRM, before)
