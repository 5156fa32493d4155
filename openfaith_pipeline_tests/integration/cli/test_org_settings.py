"""`org set`, `org show` and `backfill`."""

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.inbox.lifecycle import finish_request
from openfaith_pipeline.orgs.turns import Kind, enroll_orgs
from openfaith_pipeline_tests.verbs import Verbs

pytestmark = pytest.mark.slow


def test_an_org_is_set_and_shown(verb: Verbs, connected: str, database: Database) -> None:
    with database.connect() as connection:
        enroll_orgs(connection, Kind.INCREMENTAL, "pco")
        connection.execute("UPDATE sync.org_schedules SET next_at = now() + interval '9 days'")
    done = verb("org", "set", connected, "--every", "5m", "--streams", "people,giving.donations", "--json")
    assert done.code == 0, done.err
    assert done.document["settings"] == {
        "every": "5m",
        "poll_every": "1h",
        "reconcile_within": "7d",
        "streams": ["people", "giving.donations"],
    }
    assert done.document["turns"]["incremental"]["is_due"] is False
    with database.connect() as connection:
        [(is_soon,)] = connection.execute(
            "SELECT next_at < now() + interval '6 minutes' FROM sync.org_schedules"
        ).fetchall()
    assert is_soon, "a shorter time holds from now on"

    kept = verb("org", "set", connected, "--keep-journal", "90d", "--keep-quarantine", "8d", "--json")
    assert kept.document["retention"] == {"journal": "90d", "deliveries": None, "quarantine": "8d"}
    short = verb("org", "set", connected, "--keep-deliveries", "6d")
    assert (short.code, "--keep-deliveries must be from 7d" in short.err) == (2, True)

    back = verb("org", "set", connected, "--every", "default", "--streams", "all", "--reconcile-within", "2d", "--json")
    assert back.document["settings"] == {"every": "15m", "poll_every": "1h", "reconcile_within": "2d", "streams": None}
    with database.connect() as connection:
        connection.execute("UPDATE sync.org_schedules SET next_at = now() - interval '7 min'")
    shown = verb("org", "show", connected)
    assert (shown.code, "15m" in shown.out, "incremental" in shown.out) == (0, True, True)
    assert "due since 20" in shown.out


def test_a_backfill_is_queued_and_found_again_by_its_name(verb: Verbs, connected: str, database: Database) -> None:
    asked = ("backfill", connected, "--product", "giving", "--mode", "reconcile", "--name", "gifts", "--detach")
    first = verb(*asked, "--json")
    assert first.code == 0, first.err
    [request] = first.document["orgs"].values()
    assert request["status"] == "waiting"
    assert verb(*asked, "--json").document == first.document
    with database.connect() as connection:
        finish_request(connection, request["request_id"], "failed", "it rained", None)
    watched = verb("backfill", connected, "--product", "giving", "--mode", "reconcile", "--name", "gifts", "--detach")
    assert (watched.code, "waiting" in watched.out) == (0, True), "failures are retried"
    with database.connect() as connection:
        [(trigger, payload)] = connection.execute("SELECT trigger, payload FROM sync.requests").fetchall()
    assert (trigger, payload["mode"], "giving.donations" in payload["streams"]) == ("backfill", "reconcile", True)
