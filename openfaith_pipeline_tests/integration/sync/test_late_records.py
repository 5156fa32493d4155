"""Changes that become visible after later ones were read: missed once at most, then looked back for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.load.look_back import HALVED_EVERY, LEAST, MOST, NOW
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.options import Traps
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import StreamResult, SyncMode
from openfaith_pipeline_tests.integration.sync.church import connect, differences, row_versions, sync

BY_WINDOWS, NEWEST_FIRST, BY_FILTER = "people.households", "people.forms", "calendar.tags"

UNDER_PARENTS = {
    "people.workflow_cards": ("people.workflows",),
    "people.list_results": ("people.lists",),
    "services.plan_notes": ("services.service_types", "services.plans", "services.plan_templates"),
}
"""Stream -> the streams of its parents. What it is read by under each: newest first, or windows."""


class Church:
    """One synced stream of a church. Changes to its records are dated in minutes after `then`, 40 minutes ago."""

    def __init__(self, database: Database, simulator: SimulatorClient, stream: str, *parents: str) -> None:
        self.database, self.simulator, self.stream = database, simulator, STREAMS[stream]
        self.streams = [*(STREAMS[name] for name in parents), self.stream]
        self.then = datetime.now(UTC) - timedelta(minutes=40)
        self.org_id = connect(database, simulator)[0]
        self.sync()
        self.ids = [int(each["id"]) for each in simulator.truth(self.org_id, stream)]

    def sync(self, mode: SyncMode = SyncMode.INCREMENTAL) -> StreamResult:
        return sync(self.database, self.org_id, self.streams, mode)[self.stream.name]

    def changes(self, place: int, minutes: float) -> None:
        """The record in this place shows a change of that minute only now."""
        moment = (self.then + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
        name = {"name": f"as of {minutes}"} if "name" in self.stream.attributes else {}
        attributes = {**name, "updated_at": moment}
        self.simulator.edit(self.org_id, self.stream.name, [self.ids[place]], attributes=attributes, is_quiet=True)

    @property
    def missing(self) -> list[str]:
        return differences(self.database, self.simulator, self.org_id, [self.stream])

    @property
    def looks_back(self) -> timedelta:
        """How far its next sync does."""
        found: timedelta = self.state(NOW)
        return found

    def state(self, column: sql.Composable) -> Any:
        statement = sql.SQL("SELECT {} FROM sync.stream_states AS state WHERE org_id = %s AND stream = %s")
        with self.database.connect() as connection:
            [(value,)] = connection.execute(statement.format(column), (self.org_id, self.stream.name)).fetchall()
        return value

    def set(self, **values: Any) -> None:
        assignments = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(n), v) for n, v in values.items())
        statement = sql.SQL("UPDATE sync.stream_states SET {} WHERE org_id = %s AND stream = %s")
        with self.database.connect() as connection:
            connection.execute(statement.format(assignments), (self.org_id, self.stream.name))


@pytest.mark.parametrize("stream", [BY_WINDOWS, NEWEST_FIRST, BY_FILTER, *UNDER_PARENTS])
def test_a_late_change_is_missed_once_and_the_next_ones_are_looked_back_for(
    database: Database, simulator: SimulatorClient, stream: str
) -> None:
    church = Church(database, simulator, stream, *UNDER_PARENTS.get(stream, ()))
    church.changes(0, 0)
    church.sync()
    church.changes(1, -5)
    church.changes(2, 25)
    church.sync()
    assert church.missing
    assert church.looks_back == LEAST

    # The watermark has moved on by much more since it passed the change by: that is not a lag.
    assert church.sync(SyncMode.RECONCILE).updated == 1
    assert timedelta(minutes=9) < church.looks_back <= timedelta(minutes=10)

    church.changes(1, 16)
    assert church.sync().updated == 1
    assert church.missing == []
    assert timedelta(minutes=17) < church.looks_back <= timedelta(minutes=18)

    before = row_versions(database, [church.stream])
    assert church.sync().updated == 0
    assert row_versions(database, [church.stream]) == before


def test_a_near_miss_widens_the_look_back_before_anything_is_missed(
    database: Database, simulator: SimulatorClient
) -> None:
    church = Church(database, simulator, BY_WINDOWS)
    church.set(last_full_at=sql.NULL)  # the first sync has just read everything, and the changes are of hours before
    for place, lag in enumerate((1.5, 3, 6, 12, 24, 48)):
        church.changes(0, 100 * place - 1000)
        church.sync()
        church.changes(1, 100 * place - 1000 - lag)
        church.sync()
        assert church.missing == []
        assert abs(church.looks_back - min(MOST, timedelta(minutes=max(2 * lag, lag + 2)))) < timedelta(seconds=1)


def test_a_look_back_is_halved_each_week_until_it_is_the_least(database: Database, simulator: SimulatorClient) -> None:
    church = Church(database, simulator, BY_WINDOWS)
    longest = MOST * 5
    for weeks, expected in ((0, MOST), (3, longest / 8), (4, longest / 16), (9, LEAST), (5000, LEAST)):
        kept_at = sql.SQL("now() - {}").format(sql.Literal(HALVED_EVERY * weeks))
        church.set(look_back=sql.Literal(longest), look_back_at=kept_at)
        assert abs(church.looks_back - expected) < timedelta(seconds=1)


def test_records_without_lag_widen_nothing(database: Database, simulator: SimulatorClient) -> None:
    church = Church(database, simulator, BY_WINDOWS)
    church.changes(0, 0)
    church.sync()
    church.simulator.edit(church.org_id, BY_WINDOWS, [church.ids[1]], attributes={"name": "quiet"}, is_quiet=True)
    church.changes(2, -65)
    church.changes(3, 2)

    result = church.sync(SyncMode.RECONCILE)

    assert (result.updated, result.caught) == (3, 1)
    assert church.missing == []
    # A reconcile that did not show it has ended more than an hour after it was changed.
    church.set(last_full_at=sql.SQL("now() + interval '1 hour'"))
    church.changes(4, -5)
    church.sync(SyncMode.RECONCILE)
    assert church.missing == []
    assert church.state(sql.Identifier("look_back")) is None


def test_records_that_a_replica_shows_late_are_all_there_once_the_lag_is_known(
    database: Database, simulator: SimulatorClient
) -> None:
    church = Church(database, simulator, BY_WINDOWS)
    simulator.set_traps(church.org_id, Traps(late_records={BY_WINDOWS: 240}))
    for seconds in (0, 125):
        simulator.advance_clock(seconds)
        simulator.add(church.org_id, BY_WINDOWS, count=2)
        assert church.sync().inserted == 1
    simulator.advance_clock(120)
    assert church.sync().inserted == 0
    assert church.sync(SyncMode.RECONCILE).inserted == 1

    simulator.advance_clock(10)
    simulator.add(church.org_id, BY_WINDOWS, count=2)
    assert church.sync().inserted == 1
    for seconds in (115, 130):
        simulator.advance_clock(seconds)
        assert church.sync().inserted == 1
    assert church.missing == []


def test_records_of_a_new_parent_are_old_and_not_late(database: Database, simulator: SimulatorClient) -> None:
    stream = "people.workflow_cards"
    church = Church(database, simulator, stream, *UNDER_PARENTS[stream])
    church.changes(0, 0)
    church.sync()
    [workflow] = simulator.add(church.org_id, "people.workflows")
    church.ids = simulator.add(church.org_id, stream, relations={"workflow": workflow})
    church.changes(0, -5)
    assert church.sync().inserted == 1
    assert church.missing == []
    assert church.state(sql.Identifier("look_back")) is None


@pytest.mark.parametrize("stream", [BY_WINDOWS, NEWEST_FIRST, BY_FILTER])
def test_a_watermark_of_the_future_heals_by_the_next_sync(
    database: Database, simulator: SimulatorClient, stream: str
) -> None:
    church = Church(database, simulator, stream)
    church.set(watermark=sql.Literal(datetime(2099, 1, 1, tzinfo=UTC)))
    church.changes(0, 0)

    assert church.sync().updated == 1

    assert church.missing == []
    watermark = church.state(sql.Identifier("watermark"))
    assert watermark <= datetime.now(UTC)
    church.changes(1, 20)
    assert church.sync().updated == 1
    assert church.missing == []
