"""Two sources of one church: nothing of the one stops the other, changes its state or is counted as the other's.

The second source is made up here. It speaks as the simulator does, and its credentials are refused.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from sqlalchemy import MetaData

from openfaith_pipeline import sources
from openfaith_pipeline.alerts.failing_sweeps import watch_turns
from openfaith_pipeline.alerts.freshness import watch_freshness
from openfaith_pipeline.alerts.incidents import list_alerts
from openfaith_pipeline.catalog.events import Event, Incoming
from openfaith_pipeline.catalog.stream import TEXT, Stream
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.oauth_tokens import due_tokens
from openfaith_pipeline.connections.registry import add_org, set_connection_state
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.alignment import align_raw_tables
from openfaith_pipeline.orgs import org_settings
from openfaith_pipeline.orgs.delays import read_delays
from openfaith_pipeline.orgs.health import read_health
from openfaith_pipeline.orgs.standing import count_standings
from openfaith_pipeline.orgs.turns import Kind, claim_turns, count_due, enroll_orgs, progress_of
from openfaith_pipeline.planning_center import OAuthToken, PersonalAccessToken
from openfaith_pipeline.planning_center.extract import single_record
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.planning_center.source import PLANNING_CENTER
from openfaith_pipeline.service.health import Readiness
from openfaith_pipeline.service.metrics.gauges import read_gauges
from openfaith_pipeline.service.metrics.request_counters import RequestCounters
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.sync import attempt
from openfaith_pipeline.sync.sweep import SweepOrder
from openfaith_pipeline.webhooks import record_events
from openfaith_pipeline.webhooks.deliveries import keep_deliveries
from openfaith_pipeline.webhooks.secrets import Subscription, forget_subscription, keep_subscription, secrets_of
from openfaith_pipeline.webhooks.state import state_of, want_subscriptions
from openfaith_pipeline_tests.integration.sweeps.conftest import make_due, swept
from openfaith_pipeline_tests.integration.webhooks.application import apply_all
from openfaith_pipeline_tests.tenants import connection_of

DAY: Final = timedelta(days=1)
READY: Final = Readiness(status="ready", postgres="ok", dagster="ok")
FLOCK: Final = replace(PLANNING_CENTER, adapter="flock", title="Flock")


class Pens:
    """A product of that source."""

    value = "pens"
    source = FLOCK
    schema = "flock_pens"

    def __getattr__(self, name: str) -> Any:
        return getattr(Product.PEOPLE, name)


SHEEP: Final = Stream(product=Pens(), type="Sheep", path="/people/v2/sheep", attributes={"name": TEXT})


@pytest.fixture
def church(database: Database, simulator: SimulatorClient, org_ids: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """One of the churches, connected to both sources."""
    [church, *_] = org_ids
    streams = MappingProxyType({**sources.STREAMS, SHEEP.name: SHEEP})
    for module in (sources, org_settings, attempt):
        monkeypatch.setattr(module, "STREAMS", streams)
    joined: tuple[tuple[Mapping[str, Any], Any], ...] = (
        (sources.SOURCES, FLOCK),
        (sources.CONNECTORS, sources.CONNECTORS["pco"]),
        (sources.READERS, sources.READERS["pco"]),
    )
    for mapping, value in joined:
        monkeypatch.setitem(mapping, "flock", value)  # type: ignore[arg-type]
    token = PersonalAccessToken("nobody", SecretStr("refused"))
    with database.connect() as connection:
        cipher = cipher_from(database.settings)
        add_org(connection, cipher, church, "A church", token, api_url=simulator.url, adapter="flock")
        chosen = "UPDATE sync.org_settings SET streams = streams || %s WHERE org_id = %s"
        connection.execute(chosen, ([SHEEP.name], church))
    return church


def _turn(database: Database, church: str, adapter: str) -> tuple[int, str | None, bool, Any]:
    with database.connect() as connection:
        [turn] = progress_of(connection, church, adapter)
    return turn.failures, turn.error, turn.succeeded_at is not None, turn.next_at


def _states(database: Database, church: str) -> list[str]:
    with database.connect() as connection:
        return [read_health(connection, [church], adapter=adapter)[church].state for adapter in sources.SOURCES]


def test_a_source_that_refuses_leaves_the_churchs_turns_at_the_other_alone(
    database: Database, org_ids: list[str], church: str
) -> None:
    report, _ = swept(database)
    assert (report.orgs, report.failures) == (len(org_ids), {})
    before = _turn(database, church, "pco")

    report, heard = swept(database, SweepOrder("flock"))
    assert (report.orgs, list(report.failures), list(heard.outcomes)) == (1, [church], [church])
    failures, error, has_succeeded, _ = _turn(database, church, "flock")
    assert (failures, bool(error), has_succeeded) == (1, True, False)
    assert _turn(database, church, "pco") == before, "neither failed nor put off"
    assert _states(database, church) == ["connected", "needs_reconnect"]

    make_due(database)
    report, _ = swept(database)
    assert (report.orgs, report.failures) == (len(org_ids), {}), "the church is synced on"
    assert _turn(database, church, "flock")[0] == 1, "a sweep of the one claims no turn of the other"
    with database.connect() as connection:
        [alert] = list_alerts(connection)
        assert (alert.kind, alert.incident, "Flock is dead" in alert.message) == ("connection_dead", "flock", True)
        set_connection_state(connection, church, "needs_reconnect", "refused", adapter="pco")
        set_connection_state(connection, church, "connected", adapter="pco")
        assert [each.incident for each in list_alerts(connection)] == ["flock"], "only its own is over"
        assert connection_of(connection, church, "flock").state == "needs_reconnect"


async def test_a_turn_waits_for_no_lease_and_no_connection_of_the_other_source(database: Database, church: str) -> None:
    with database.connect() as connection:
        for adapter in sources.SOURCES:
            enroll_orgs(connection, Kind.INCREMENTAL, adapter)
        set_connection_state(connection, church, "needs_reconnect", "refused", adapter="pco")
        connection.execute(
            "INSERT INTO sync.stream_states (org_id, stream, holder, lease_expires_at, last_succeeded_at)"
            " VALUES (%s, 'people.people', 'another', now() + interval '1 hour', now())",
            (church,),
        )
        assert count_due(connection, Kind.INCREMENTAL, "flock") == 1
    async with database.pool(size=1) as pool, pool.connection() as connection:
        [turn] = await claim_turns(connection, Kind.INCREMENTAL, "flock", "a sweep", 9)
        claimed = await claim_turns(connection, Kind.INCREMENTAL, "pco", "a sweep", 9)
    assert (turn.org_id, turn.adapter) == (church, "flock")
    assert church not in {each.org_id for each in claimed}, "its people are leased"


def test_delays_and_failures_are_of_one_source(database: Database, church: str) -> None:
    aged = "INSERT INTO sync.stream_states (org_id, stream, last_succeeded_at) VALUES (%s, %s, now() - %s)"
    with database.connect() as connection:
        connection.execute(aged, (church, "people.people", timedelta(days=3)))
        connection.execute(aged, (church, SHEEP.name, timedelta(hours=1)))
        assert (list(read_delays(connection, DAY, "pco")), list(read_delays(connection, DAY, "flock"))) == (
            [church],
            [],
        )
        assert watch_freshness(connection, DAY, "pco") == [church]
        assert watch_freshness(connection, DAY, "flock") == []
        assert [each.incident for each in list_alerts(connection)] == ["pco"], "the other's watch does not close it"

        for adapter in sources.SOURCES:
            enroll_orgs(connection, Kind.INCREMENTAL, adapter)
        connection.execute("UPDATE sync.source_schedules SET failures = 2, error = 'e' WHERE adapter = 'flock'")
        for adapter in sources.SOURCES:
            watch_turns(connection, adapter)
        failed = [each.incident for each in list_alerts(connection) if each.kind == "run_failed"]
        assert failed == ["flock incremental sweep"]


SPENT: Final = """
INSERT INTO sync.source_rate_budgets (org_id, adapter, ledger, version, requests) VALUES (%s, %s, '{}', 1, %s)
"""
AGED: Final = """
INSERT INTO sync.stream_states (org_id, stream, last_succeeded_at) VALUES (%s, %s, now() - interval '2 days')
"""


def test_gauges_count_each_source_by_itself(database: Database, church: str, org_ids: list[str]) -> None:
    with database.connect() as connection:
        connection.execute(AGED, (church, SHEEP.name))
        connection.execute("INSERT INTO sync.failing_streams VALUES (%s, %s, 1)", (church, SHEEP.name))
        set_connection_state(connection, church, "degraded", "odd", adapter="flock")
        standings = count_standings(connection, DAY)
        values = {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in read_gauges(connection, DAY, READY, {})
            for sample in family.samples
        }

    def both(name: str, *labels: str) -> list[float]:
        return [values[name, *sorted([adapter, *labels])] for adapter in ("pco", "flock")]

    assert (standings["failing"], sum(standings.values())) == (1, len(org_ids)), "the worst of both, once"
    assert both("openfaith_failing_streams") == [0, 1]
    assert both("openfaith_churches_out_of_date") == [0, 1]
    assert both("openfaith_freshness_worst_seconds") == [pytest.approx(60, abs=60), pytest.approx(2 * 86400, rel=0.01)]
    assert both("openfaith_connections", "connected") == [0, 1], "the other has never been synced"
    assert both("openfaith_connections", "not_connected") == [0, len(org_ids) - 1]


def test_requests_are_counted_for_each_source_by_itself(database: Database, church: str) -> None:
    registry = CollectorRegistry()
    counters = RequestCounters(registry)
    with database.connect() as connection:
        counters.look(connection)
        for adapter, requests in {"pco": 5, "flock": 70}.items():
            connection.execute(SPENT, (church, adapter, requests))
        counters.look(connection)
    names = ("openfaith_planning_center_requests_total", "openfaith_flock_requests_total")
    assert [registry.get_sample_value(name) for name in names] == [5, 70]


class _Dialect:
    """Of the one event that this source has."""

    def event_named(self, name: str) -> Event | None:
        return Event(SHEEP, "updated") if name == SHORN else None


SHORN: Final = "flock.sheep.shorn"


def test_deliveries_of_a_source_that_refuses_do_not_keep_back_the_others(
    database: Database, simulator: SimulatorClient, church: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (record_events, single_record):
        monkeypatch.setattr(module, "STREAMS", sources.STREAMS)
    monkeypatch.setitem(sources.DIALECTS, "flock", _Dialect())  # type: ignore[arg-type]
    with database.connect() as connection:
        align_raw_tables(connection, [SHEEP], MetaData())
    [gone] = simulator.add(church, "people.people")
    swept(database)
    simulator.delete(church, "people.people", [gone])
    events = {SHEEP.name: (SHORN, "Sheep"), "people.people": ("people.v2.events.person.destroyed", "Person")}
    deliveries = [
        Incoming(church, event, event, stream, str(gone), None, _document(type_, gone), is_doubtful=True)
        for stream, (event, type_) in events.items()
    ]
    asyncio.run(_kept(database, deliveries))
    apply_all(database)
    statement = "SELECT stream, status, error FROM sync.webhook_deliveries ORDER BY stream"
    with database.connect() as connection:
        (sheep, waits, error), (people, settled, _) = connection.execute(statement).fetchall()
    assert (people, settled) == ("people.people", "applied")
    assert (sheep, waits, "refuse" in error.lower()) == (SHEEP.name, "pending", True)


def _document(type_: str, identifier: int) -> bytes:
    return json.dumps({"data": {"type": type_, "id": str(identifier), "attributes": {"wool": 3}}}).encode()


async def _kept(database: Database, deliveries: Sequence[Incoming]) -> None:
    async with database.pool(size=1) as pool, pool.connection() as connection:
        await keep_deliveries(connection, deliveries)


def test_a_token_is_due_at_whichever_source_it_is_of(database: Database, church: str) -> None:
    soon = OAuthToken(SecretStr("a"), SecretStr("r"), datetime.now(UTC) + timedelta(minutes=5))
    with database.connect() as connection:
        add_org(connection, cipher_from(database.settings), church, "A church", soon, adapter="flock")
    assert due_tokens(database) == [(church, "flock")]


def test_subscriptions_of_the_one_source_are_no_others(database: Database, church: str) -> None:
    cipher = cipher_from(database.settings)
    with database.connect() as connection:
        for adapter in sources.SOURCES:
            ours = Subscription("1", "an event", f"http://127.0.0.1/{adapter}")
            keep_subscription(connection, cipher, church, adapter, ours, f"secret of {adapter}")
        want_subscriptions(connection, church, "flock", is_wanted=False)
        assert [state_of(connection, church, adapter).is_wanted for adapter in sources.SOURCES] == [True, False]
        forget_subscription(connection, church, "flock", "1")
        assert secrets_of(connection, cipher, church, "pco") == {"an event": (b"secret of pco",)}
        assert secrets_of(connection, cipher, church, "flock") == {}
