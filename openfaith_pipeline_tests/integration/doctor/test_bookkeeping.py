"""States of the bookkeeping, each planted and found by name."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.types.json import Jsonb

from openfaith_pipeline.doctor.kinds import KINDS, Severity
from openfaith_pipeline.network.rate_ledger import RateLedger
from openfaith_pipeline_tests.integration.doctor.church import Church, by_kind, examine_within, kinds

GONE = "elsewhere:1:0"

PLANTED: Final[dict[str, LiteralString]] = {
    "org_paused": "UPDATE sync.orgs SET paused_at = now() WHERE org_id = %(org_id)s",
    "not_connected": "DELETE FROM sync.source_connections WHERE org_id = %(org_id)s",
    "needs_reconnect": "UPDATE sync.source_connections SET state = 'needs_reconnect', reason = 'over'"
    " WHERE org_id = %(org_id)s",
    "credentials_unreadable": "UPDATE sync.source_connections SET secret = 'x' WHERE org_id = %(org_id)s",
    "source_withholds": "INSERT INTO sync.stream_states (org_id, stream, availability, availability_reason)"
    " VALUES (%(org_id)s, 'giving.funds', 'not_granted', 'no access')",
    "never_synced": "UPDATE sync.stream_states SET last_succeeded_at = NULL WHERE org_id = %(org_id)s",
    "streams_failing": "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status, error)"
    " VALUES ('planted', %(org_id)s, 'people.emails', 'people.emails', 'incremental', 'failed', 'x')",
    "streams_late": "UPDATE sync.stream_states SET last_succeeded_at = now() - interval '2 days'"
    " WHERE org_id = %(org_id)s AND stream = 'people.emails'",
    "streams_drifted": "INSERT INTO sync.drift (org_id, stream, attribute, kind)"
    " VALUES (%(org_id)s, 'people.emails', 'shoe_size', 'new')",
    "records_quarantined": "INSERT INTO sync.quarantine (org_id, stream, sync_id, record_id, field, reason)"
    " VALUES (%(org_id)s, 'people.emails', 'planted', '1', 'address', 'no text')",
    "deletions_held": "INSERT INTO sync.held_deletions (org_id, stream, sync_id, ids, row_count, reason)"
    " VALUES (%(org_id)s, 'people.emails', 'planted', '{1,2}', 4, 'so many')",
    "conflicts_waiting": "INSERT INTO sync.conflicts (id, org_id, entity_table, entity_id, field, base, local, source,"
    " edited_at, edited_by, sync_id) VALUES ('conflict-1', %(org_id)s, 'people', 'person_1', 'name', '1', '2', '3',"
    " now(), 'user_1', 'planted')",
    "alerts_open": "INSERT INTO sync.alerts (kind, org_id, incident, message, mend)"
    " VALUES ('freshness_missed', %(org_id)s, '', 'late', 'sync')",
    "syncs_left_running": "INSERT INTO sync.syncs (sync_id, mode, trigger, requested, lease_expires_at)"
    " VALUES ('left', 'incremental', 'cli', jsonb_build_object('orgs', jsonb_build_array(%(org_id)s::text)),"
    " now() - interval '1 minute')",
    "leases_left": "UPDATE sync.stream_states SET holder = %(gone)s, lease_expires_at = now() - interval '1 minute'"
    " WHERE org_id = %(org_id)s AND stream = 'people.emails'",
    "walks_left": "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status, checkpoint,"
    " started_at) VALUES ('planted', %(org_id)s, 'people.emails', 'people.emails', 'incremental', 'failed', '{}',"
    " now() - interval '9 days')",
    "deliveries_waiting": "INSERT INTO sync.webhook_deliveries (org_id, event_id, event, payload, next_attempt_at)"
    " VALUES (%(org_id)s, '1', 'people.v2.events.email.updated', '{}', now() - interval '1 hour')",
    "deliveries_failed": "INSERT INTO sync.webhook_deliveries (org_id, event_id, event, payload, status)"
    " VALUES (%(org_id)s, '1', 'people.v2.events.email.updated', '{}', 'failed')",
    "receiver_silent": "INSERT INTO sync.webhook_subscriptions (org_id, subscription_id, event, url, secret)"
    " VALUES (%(org_id)s, '1', 'people.v2.events.email.updated', 'https://example.org', 'x')",
    "subscribing_failed": "INSERT INTO sync.webhook_orgs (org_id, problem) VALUES (%(org_id)s, 'it may not')",
    "rows_parentless": "UPDATE pco_people.emails SET person_id = NULL WHERE org_id = %(org_id)s AND id = '1'",
    "rows_orphaned": "UPDATE pco_people.emails SET person_id = '999' WHERE org_id = %(org_id)s AND id = '1'",
}
BESIDES = {
    "needs_reconnect": {"alerts_open"},
    "never_synced": {"streams_late"},
    "walks_left": {"streams_failing"},
    "streams_failing": {"walks_left"},
    "syncs_left_running": {"streams_failing"},
}
EXAMPLES: dict[str, tuple[str, ...]] = {
    "streams_failing": ("people.emails",),
    "streams_late": ("people.emails",),
    "records_quarantined": ("people.emails",),
    "leases_left": ("people.emails",),
    "syncs_left_running": ("left",),
    "rows_parentless": ("people.emails 1",),
    "rows_orphaned": ("people.emails 1",),
}


def test_each_state_is_found_by_name_and_nothing_else(church: Church) -> None:
    church.run("INSERT INTO sync.syncs (sync_id, mode, trigger, status) VALUES ('planted', 'test', 'test', 'failed')")
    with church.database.connect() as connection:
        assert kinds(examine_within(church, connection, with_rows=True)) == set()
        for kind, statement in PLANTED.items():
            with connection.transaction(force_rollback=True):
                connection.execute(statement, {"org_id": church.org_id, "gone": GONE})
                _check(church, connection, kind)


def _check(church: Church, connection: Connection[Any], kind: str) -> None:
    report = examine_within(church, connection, with_rows=kind.startswith("rows_"))
    found = by_kind(report)
    assert kind in found, kind
    assert found.keys() - {kind} <= BESIDES.get(kind, set()), kind
    assert found[kind].examples == EXAMPLES.get(kind, found[kind].examples)
    assert found[kind].org_id in {church.org_id, None}
    assert (report.status == "well") == (KINDS[kind].severity is Severity.NOTE and len(found) == 1), kind


def test_a_budget_that_planning_center_has_paused_or_that_is_used_up_is_said(church: Church) -> None:
    later = time.time() + 300
    waiting = {"another": [2, 7, 0, later]}
    ledgers: dict[str, dict[str, Any]] = {
        "requests_paused": {"paused_until": later},
        "budget_crowded": {"limit": 1, "leases": {"one": [1, later]}, "waiting": waiting, "freed": 0, "taken": 1},
    }
    with church.database.connect() as connection:
        for kind, ledger in ledgers.items():
            with connection.transaction(force_rollback=True):
                connection.execute(
                    "INSERT INTO sync.source_rate_budgets (org_id, adapter, ledger, version, requests, refused)"
                    " VALUES (%s, 'pco', %s, 1, 0, 0)",
                    (church.org_id, Jsonb({**RateLedger(limit=100, deep_limit=30, period=20.0).written(), **ledger})),
                )
                assert kinds(examine_within(church, connection, with_rows=False)) == {kind}


def test_a_lost_key_file_is_no_reason_to_make_another(church: Church, tmp_path: Path) -> None:
    changes = {"encryption_keys": (), "db_host": None, "home": tmp_path}
    settings = church.database.settings.model_copy(update=changes)
    embedded = replace(church, database=replace(church.database, settings=settings))
    with church.database.connect() as connection:
        found = by_kind(examine_within(embedded, connection, with_rows=False))
    assert "encryption.key is missing" in found["credentials_unreadable"].detail
    assert list(tmp_path.iterdir()) == []
