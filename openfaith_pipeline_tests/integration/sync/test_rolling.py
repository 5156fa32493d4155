"""Rolling reconcile: every stream within the period, the oldest first, walks kept together."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from openfaith_pipeline.catalog.walk_planner import plan_walks
from openfaith_pipeline.database import Database
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.stream_selection import streams_due_for_reconcile

ORG, OTHER = "org_01h455vb4pex5vsknk084sn02q", "org_01h455vb4pex5vsknk084sn02r"
WEEK, DAY = timedelta(days=7), timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


def reconciled(connection: Connection[Any], org_id: str, names: list[str], at: datetime) -> None:
    connection.execute(
        "INSERT INTO sync.stream_states (org_id, stream, last_full_at) SELECT %s, unnest(%s::text[]), %s"
        " ON CONFLICT (org_id, stream) DO UPDATE SET last_full_at = excluded.last_full_at",
        (org_id, names, at),
    )


def test_a_stream_that_was_never_reconciled_is_due_at_once(database: Database) -> None:
    with database.connect() as connection:
        assert streams_due_for_reconcile(connection, ORG, WEEK, START, "pco") == list(STREAMS)
        reconciled(connection, OTHER, list(STREAMS), START)
        assert streams_due_for_reconcile(connection, ORG, WEEK, START, "pco") == list(STREAMS)


@pytest.mark.parametrize("every", [DAY, timedelta(hours=6)])
def test_night_by_night_every_stream_comes_round_within_the_period(database: Database, every: timedelta) -> None:
    turns = int(WEEK / every)
    with database.connect() as connection:
        reconciled(connection, ORG, list(STREAMS), START)
        last, seen = dict.fromkeys(STREAMS, START), Counter[str]()
        for turn in range(1, 3 * turns + 1):
            now = START + turn * every
            due = streams_due_for_reconcile(connection, ORG, WEEK, now, "pco", every=every)
            assert 0 < len(due) < 2.2 * len(STREAMS) / turns
            for name in due:
                assert now - last[name] <= WEEK
                last[name] = now
            reconciled(connection, ORG, due, now)
            seen.update(due)
    assert seen.keys() == STREAMS.keys() and min(seen.values()) >= 2


def test_streams_that_are_read_together_are_due_together(database: Database) -> None:
    with database.connect() as connection:
        reconciled(connection, ORG, list(STREAMS), START + WEEK)
        reconciled(connection, ORG, ["people.rules"], START)
        due = streams_due_for_reconcile(connection, ORG, timedelta(days=1000), START + WEEK, "pco")
    [together] = [
        {stream.name for stream in walk.streams}
        for walk in plan_walks(STREAMS.values(), STREAMS, is_full=True)
        if STREAMS["people.rules"] in walk.streams
    ]
    assert {"people.lists", "people.rules"} <= together == set(due)


def test_streams_overdue_by_the_next_time_are_due_whatever_their_number(database: Database) -> None:
    with database.connect() as connection:
        reconciled(connection, ORG, list(STREAMS), START)
        assert streams_due_for_reconcile(connection, ORG, WEEK, START + timedelta(days=6, hours=1), "pco") == list(
            STREAMS
        )


def test_a_withheld_stream_is_tried_once_in_a_period(database: Database) -> None:
    with database.connect() as connection:
        reconciled(connection, ORG, list(STREAMS), START + DAY)
        connection.execute(
            "UPDATE sync.stream_states SET last_full_at = NULL, availability = 'forbidden', checked_at = %s"
            " WHERE stream = 'people.tabs'",
            (START + 2 * DAY,),
        )
        assert "people.tabs" not in streams_due_for_reconcile(connection, ORG, WEEK, START + 2 * DAY, "pco")
        assert "people.tabs" in streams_due_for_reconcile(connection, ORG, WEEK, START + 9 * DAY, "pco")
