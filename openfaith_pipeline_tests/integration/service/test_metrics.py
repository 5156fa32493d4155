"""Metrics for Prometheus, as read from Postgres."""

from datetime import timedelta
from typing import Any

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from openfaith_pipeline.database import Database
from openfaith_pipeline.inbox.lifecycle import claim_requests
from openfaith_pipeline.inbox.sync_requests import request_sync
from openfaith_pipeline.orgs.org_ids import new_org_id
from openfaith_pipeline.orgs.registry import pause_org, resume_org
from openfaith_pipeline.privacy.org_erasure import erase_org
from openfaith_pipeline.service.metrics import endpoint
from openfaith_pipeline.service.metrics.endpoint import Metrics
from openfaith_pipeline_tests.integration.inbox.conftest import connected_org
from openfaith_pipeline_tests.integration.service.conftest import APP, ELSEWHERE, ONE_ORG, READER, Service
from openfaith_pipeline_tests.seeded import seed_churches

Values = dict[tuple[str, ...], float]


def _values(metrics: Metrics) -> Values:
    metrics._looked_at = None  # as if some seconds had gone by
    metrics.look()
    return _parsed(generate_latest(metrics.registry).decode())


def _parsed(text: str) -> Values:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def metrics(database: Database) -> Any:
    pool = database.thread_pool(size=2, timeout=10)
    pool.open()
    yield Metrics(pool, timedelta(days=1))
    pool.close()


def _leave_work(database: Database, org_id: str) -> None:
    """One of everything that waits for somebody; of conflicts and quarantine one that is settled too."""
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.held_deletions (org_id, stream, sync_id, ids, row_count, reason)"
            " VALUES (%s, 'people.people', 's', ARRAY['1', '2', '3'], 4, 'why')",
            (org_id,),
        )
        connection.execute(
            "INSERT INTO sync.conflicts (id, org_id, entity_table, entity_id, field, base, local, source, edited_at,"
            " edited_by, sync_id, decision) SELECT 'conflict-' || n, %s, 'people', 'p', 'f', '1', '2', '3', now(), 'u',"
            " 's', CASE n WHEN 2 THEN 'settled' END FROM generate_series(1, 2) AS n",
            (org_id,),
        )
        connection.execute(
            "INSERT INTO sync.webhook_deliveries (org_id, event_id, event, payload, next_attempt_at)"
            " VALUES (%s, 'e', 'x', '', now() - interval '90 s')",
            (org_id,),
        )
        connection.execute(
            "INSERT INTO sync.quarantine (org_id, stream, sync_id, reason, resolved_at)"
            " VALUES (%(org)s, 'people.people', 's', 'r', NULL), (%(org)s, 'people.people', 's', 'r', now())",
            {"org": org_id},
        )


def test_gauges_say_how_the_fleet_is(database: Database, metrics: Metrics) -> None:
    seed_churches(database, 100)
    org_id = connected_org(database)
    _leave_work(database, org_id)

    values = _values(metrics)

    expected = {
        "openfaith_held_deletions": 1,
        "openfaith_held_deletion_rows": 3,
        "openfaith_conflicts_waiting": 1,
        "openfaith_webhook_backlog": 1,
        "openfaith_quarantine_open": 1,
        "openfaith_dagster_daemon_up": 0,
        "openfaith_pool_size": 1,
    }
    assert {name: values[name,] for name in expected} == expected
    assert values["openfaith_churches_out_of_date", "pco"] == values["openfaith_failing_streams", "pco"] == 4
    assert values["openfaith_freshness_worst_seconds", "pco"] == pytest.approx(3 * 86400, rel=0.01)
    assert values["openfaith_webhook_backlog_age_seconds",] == pytest.approx(90, abs=20)
    assert (values["openfaith_churches", "failing"], values["openfaith_churches", "fresh"]) == (4, 82)
    states = {key[2]: value for key, value in values.items() if key[:2] == ("openfaith_connections", "pco")}
    assert (states["needs_reconnect"], states["never_synced"]) == (3, 1)


def test_what_waits_for_a_paused_church_or_behind_another_is_no_trouble(database: Database, metrics: Metrics) -> None:
    paused, busy, retried = (connected_org(database) for _ in range(3))
    with database.connect() as connection:
        for org_id in (paused, paused, busy, busy):
            request_sync(connection, org_id, trigger="api", adapter="pco", idempotency_key=new_org_id())
        claim_requests(connection)
        connection.execute("UPDATE sync.requests SET requested_at = now() - interval '1 day'")
        pause_org(connection, paused)
        connection.execute(
            "UPDATE sync.requests SET status = 'waiting' WHERE org_id = %s AND status = 'launched'", (paused,)
        )
        for org_id, due in ((paused, "-1 day"), (retried, "1 h")):
            connection.execute(
                "INSERT INTO sync.webhook_deliveries (org_id, event_id, event, payload, received_at, next_attempt_at)"
                " VALUES (%s, 'e', 'x', '', now() - interval '2 days', now() + %s::interval)",
                (org_id, due),
            )
    values = _values(metrics)
    names = ("openfaith_requests_waiting", "openfaith_webhook_backlog")
    assert [values[name,] for name in names] == [0, 1]
    assert [values[f"{name}_age_seconds",] for name in names] == [0, 0]
    with database.connect() as connection:
        resume_org(connection, paused)
    values = _values(metrics)
    assert [values[name,] for name in names] == [2, 2]
    assert [values[f"{name}_age_seconds",] for name in names] == [pytest.approx(86400, abs=60)] * 2


def test_counters_count_the_pages_since_the_first_look(database: Database, metrics: Metrics) -> None:
    org_id = connected_org(database)

    def rows() -> dict[str, float]:
        values = _values(metrics)
        return {key[1]: value for key, value in values.items() if key[0] == "openfaith_stream_rows_total"}

    with database.connect(autocommit=True) as connection:
        connection.execute("INSERT INTO sync.syncs (sync_id, mode, trigger) VALUES ('s', 'incremental', 't')")
        for stream, status, fetched in (("people.tabs", "succeeded", 500), ("people.emails", "running", 100)):
            connection.execute(
                "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status, fetched)"
                " VALUES ('s', %s, %s, %s, 'incremental', %s, %s)",
                (org_id, stream, stream, status, fetched),
            )
        assert rows() == {}, "what was there before counts for nothing"
        advance = "UPDATE sync.stream_syncs SET {} WHERE stream = 'people.emails'"
        for change in ("fetched = 150, requests = 2, waited_seconds = 1.5", "fetched = 0", "fetched = 30"):
            connection.execute(advance.format(change))  # type: ignore[arg-type]
            rows()
        connection.execute(
            "UPDATE sync.stream_syncs SET status = 'succeeded', inserted = 20, deleted = 3, fetched = 40"
            " WHERE stream = 'people.emails'"
        )
        connection.execute("UPDATE sync.syncs SET status = 'succeeded', finished_at = now()")
        assert rows() == {"fetched": 50 + 30 + 10, "inserted": 20, "deleted": 3}
        values = _values(metrics)
    assert values["openfaith_stream_requests_total", "people.emails"] == 2
    assert values["openfaith_stream_budget_wait_seconds_total", "people.emails"] == 1.5
    assert values["openfaith_sync_duration_seconds_count", "incremental", "succeeded"] == 1


def test_counters_of_requests_never_fall(database: Database, metrics: Metrics) -> None:
    """Not even when a church is erased, whose requests are then counted nowhere else."""
    gone, stays = (connected_org(database) for _ in range(2))

    def counted() -> tuple[float, float]:
        values = _values(metrics)
        return tuple(values[f"openfaith_planning_center_{name}_total",] for name in ("requests", "rate_limited"))  # type: ignore[return-value]

    spend = (
        "INSERT INTO sync.source_rate_budgets AS old (org_id, adapter, ledger, version, requests, refused)"
        " VALUES (%s, 'pco', '{}', 1, %s, %s) ON CONFLICT (org_id, adapter) DO UPDATE"
        " SET requests = old.requests + excluded.requests, refused = old.refused + excluded.refused"
    )
    with database.connect(autocommit=True) as connection:
        connection.execute(spend, (gone, 70, 2))
        assert counted() == (0, 0), "what was there before counts for nothing"
        connection.execute(spend, (gone, 30, 1))
        connection.execute(spend, (stays, 5, 0))
        assert counted() == (35, 1)
        erase_org(database, gone, "tester")
        assert counted() == (35, 1)
        connection.execute(spend, (stays, 7, 0))
        assert counted() == (42, 1)


def test_many_scrapes_are_one_reading(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics.look()
    monkeypatch.setattr(endpoint, "read_gauges", None)
    metrics.look()
    metrics._looked_at = None
    with pytest.raises(TypeError):
        metrics.look()


def test_it_is_for_keys_that_read_all_churches(service: Service) -> None:
    answer = service.call("GET", "/metrics", key=READER)
    assert (answer.status, _parsed(answer.text)["openfaith_churches", "paused"]) == (200, 0)
    assert answer.headers["content-type"].startswith("text/plain")
    assert service.call("GET", "/metrics", key=APP).status == 200
    assert [service.call("GET", "/metrics", key=key).status for key in (ONE_ORG, ELSEWHERE, None)] == [403, 403, 401]
