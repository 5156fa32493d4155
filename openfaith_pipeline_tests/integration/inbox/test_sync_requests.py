"""Requests for syncs: when two calls share one request, and when they do not."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import IdempotencyKeyReused, OrgPaused, UnknownOrg, UnknownStream, UsageError
from openfaith_pipeline.inbox.lifecycle import claim_requests, fail_orphans
from openfaith_pipeline.inbox.requests import Request, cancel_request, get_request, resume_request
from openfaith_pipeline.inbox.sync_requests import request_sync
from openfaith_pipeline.orgs.registry import new_org_id, pause_org, remove_org


def ask(database: Database, org_id: str, **how: Any) -> str:
    with database.connect() as connection:
        return request_sync(connection, org_id, **{"trigger": "api", "adapter": "pco", **how})


def kept(database: Database, request_id: str) -> Request:
    with database.connect() as connection:
        return get_request(connection, request_id)


def claim(database: Database) -> int:
    with database.connect() as connection:
        return claim_requests(connection)


def test_a_key_stands_for_one_request_of_its_org(database: Database, org_id: str, other_org_id: str) -> None:
    first = ask(database, org_id, idempotency_key="nightly")
    claim(database)

    assert ask(database, org_id, idempotency_key="nightly") == first
    assert ask(database, other_org_id, idempotency_key="nightly") != first
    with pytest.raises(IdempotencyKeyReused, match="another request"):
        ask(database, org_id, idempotency_key="nightly", mode="reconcile")
    assert kept(database, first).payload == {
        "tokenKey": org_id,
        "adapter": "pco",
        "mode": "incremental",
        "streams": None,
    }


def test_many_at_once_with_one_key_make_one_request(database: Database, org_id: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: ask(database, org_id, idempotency_key="burst"), range(24)))
    assert len(made) == 1


def test_many_at_once_without_a_key_join_one_that_waits(database: Database, org_id: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: ask(database, org_id), range(24)))
    assert len(made) == 1


def test_a_request_that_is_under_way_is_not_joined(database: Database, org_id: str) -> None:
    first = ask(database, org_id)
    assert claim(database) == 1
    second = ask(database, org_id)

    assert second != first
    assert ask(database, org_id) == second
    assert claim(database) == 0, "one sync of an org at a time"


def test_a_waiting_request_is_widened_but_for_one_with_a_key(database: Database, org_id: str) -> None:
    first = ask(database, org_id, streams=["people.emails"])
    assert ask(database, org_id, streams=["people.people"]) == first
    assert kept(database, first).payload["streams"] == ["people.emails", "people.people"]

    keyed = ask(database, org_id, streams=["people.campuses"], idempotency_key="mine")
    assert keyed != first
    assert ask(database, org_id) == first
    assert kept(database, first).payload["streams"] is None
    assert kept(database, keyed).payload["streams"] == ["people.campuses"]


def test_a_less_thorough_request_joins_a_more_thorough_one_and_not_the_other_way(
    database: Database, org_id: str
) -> None:
    incremental = ask(database, org_id)
    reconcile = ask(database, org_id, mode="reconcile")
    assert reconcile != incremental
    with database.connect() as connection:
        cancel_request(connection, incremental)
    assert ask(database, org_id) == reconcile
    assert kept(database, reconcile).payload["mode"] == "reconcile"


def test_a_request_of_another_source_is_not_joined(database: Database, org_id: str) -> None:
    first = ask(database, org_id)
    second = ask(database, org_id, adapter="elsewhere")
    assert second != first
    assert (ask(database, org_id), ask(database, org_id, adapter="elsewhere")) == (first, second)


def test_the_earlier_moment_counts(database: Database, org_id: str) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    first = ask(database, org_id, not_before=later)
    assert claim(database) == 0
    assert ask(database, org_id) == first
    assert kept(database, first).not_before is None
    assert claim(database) == 1


def test_a_request_that_cannot_be_synced_is_refused_and_not_kept(database: Database, org_id: str) -> None:
    with pytest.raises(UnknownOrg):
        ask(database, new_org_id())
    with pytest.raises(UnknownStream, match=r"people\.emial"):
        ask(database, org_id, streams=["people.emial"])
    for key in ("", "x" * 256, "tab\there", "ключ"):
        with pytest.raises(UsageError, match="printable ASCII"):
            ask(database, org_id, idempotency_key=key)
    with database.connect() as connection:
        pause_org(connection, org_id)
    with pytest.raises(OrgPaused):
        ask(database, org_id)
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM sync.requests").fetchone() == (0,)


def test_a_paused_orgs_request_waits_and_a_removed_ones_fails(
    database: Database, org_id: str, other_org_id: str
) -> None:
    waiting, orphan = ask(database, org_id), ask(database, other_org_id)
    with database.connect() as connection:
        pause_org(connection, org_id)
        remove_org(connection, other_org_id)
        fail_orphans(connection)
    assert claim(database) == 0
    assert (kept(database, waiting).status, kept(database, orphan).status) == ("waiting", "failed")


def test_cancel_ends_a_waiting_request_and_signals_a_running_one(database: Database, org_id: str) -> None:
    first = ask(database, org_id)
    claim(database)
    second = ask(database, org_id)
    with database.connect() as connection:
        assert cancel_request(connection, second).status == "canceled"
        under_way = cancel_request(connection, first)
        assert (under_way.status, under_way.finished_at) == ("launched", None)
        assert under_way.cancel_requested_at is not None

        resumed = resume_request(connection, second)
        assert (resumed.status, resumed.attempt, resumed.cancel_requested_at) == ("waiting", 2, None)
        assert resume_request(connection, first).status == "launched", "what is under way stays as it is"
