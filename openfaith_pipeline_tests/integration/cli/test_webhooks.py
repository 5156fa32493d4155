"""`webhooks`: subscribed, shown, replayed and ended from the command line."""

import psycopg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline_tests.verbs import Verbs

pytestmark = pytest.mark.slow


def test_a_church_is_subscribed_shown_and_unsubscribed(
    verb: Verbs, connected: str, environment: dict[str, str]
) -> None:
    assert verb("webhooks", "subscribe", connected).code == 2
    public = Verbs({**environment, "OPENFAITH_PUBLIC_URL": "http://127.0.0.1:9"})
    assert public("webhooks", "subscribe").code == 2
    made = public("webhooks", "subscribe", connected, "--json")
    assert made.code == 0, made.err
    [ensured] = made.document
    assert "people.v2.events.email.created" in ensured["added"]
    [shown] = public("webhooks", "list", "--json").document
    assert (shown["org_id"], shown["events"], shown["problem"]) == (connected, ensured["events"], None)
    assert "made-up" not in public("webhooks", "list", connected).out
    ended = public("webhooks", "unsubscribe", connected, "--json")
    assert sorted(ended.document["ended"]) == ensured["events"]
    assert "unsubscribed by hand" in public("webhooks", "list").out


def test_deliveries_that_failed_are_replayed(verb: Verbs, connected: str, database: Database) -> None:
    with database.connect() as connection:
        _keep(connection, connected, "one", "failed")
        _keep(connection, connected, "two", "applied")
    assert verb("webhooks", "replay", "--status", "lost").code == 2
    assert verb("webhooks", "replay", "--since", "soon").code == 2
    assert verb("webhooks", "replay", "org_01k5t0w2m1e9qv4y8z3n7b6c5d").code == 2
    assert verb("webhooks", "replay", "--since", "2999-01-01", "--json").document == {"replayed": 0}
    assert verb("webhooks", "replay", connected).out == "1 delivery will be applied again\n"
    with database.connect() as connection:
        left = connection.execute("SELECT event_id, status FROM sync.webhook_deliveries ORDER BY id").fetchall()
    assert left == [("one", "pending"), ("two", "applied")]


def _keep(connection: psycopg.Connection, org_id: str, event_id: str, status: str) -> None:
    connection.execute(
        "INSERT INTO sync.webhook_deliveries (org_id, event_id, event, payload, status)"
        " VALUES (%s, %s, 'people.v2.events.email.created', '{}', %s)",
        (org_id, event_id, status),
    )
