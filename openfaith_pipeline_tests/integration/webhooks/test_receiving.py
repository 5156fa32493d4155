"""Deliveries over the wire: signed ones are kept exactly once, all others are refused."""

import asyncio
import hashlib
import http.client
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import orjson
import psycopg
import pytest
from pydantic import SecretStr

from openfaith_pipeline.catalog.events import Incoming
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.orgs.registry import remove_org
from openfaith_pipeline.planning_center import PersonalAccessToken
from openfaith_pipeline.planning_center.envelopes import read_envelope
from openfaith_pipeline.service import keyring
from openfaith_pipeline.settings import environment_with
from openfaith_pipeline.simulator import SimulatorClient, Webhooks
from openfaith_pipeline.sources import DEFAULT_SOURCE, SOURCES
from openfaith_pipeline.webhooks.deliveries import keep_deliveries, of_source
from openfaith_pipeline.webhooks.secrets import Subscription, keep_subscription
from openfaith_pipeline.webhooks.subscriptions import ensure_subscriptions
from openfaith_pipeline_tests.conftest import environment_of
from openfaith_pipeline_tests.forking import fork_program
from openfaith_pipeline_tests.integration.sync.church import connect
from openfaith_pipeline_tests.integration.webhooks.receiver import envelope, kept, post, signed
from openfaith_pipeline_tests.waiting import wait_until

ORG = "org_01k5t0w2m1e9qv4y8z3n7b6c5d"
OTHER = "org_01k5t0w2m1e9qv4y8z3n7b6c5e"
EVENT = "people.v2.events.email.created"
PATH = f"/api/webhooks/pco/{ORG}"
PAYLOAD = {
    "data": {"type": "Email", "id": "77", "attributes": {"address": "planted@example.org"}},
    "meta": {"event_time": "2026-03-04T05:06:07Z"},
}


@pytest.fixture
def subscribed(service: Database) -> Database:
    """Two orgs of two churches, subscribed to one event with a secret each."""
    with service.connect() as connection:
        for org_id in (ORG, OTHER):
            subscribe(connection, service, org_id, f"secret of {org_id}")
    return service


def subscribe(connection: psycopg.Connection[Any], database: Database, org_id: str, secret: str) -> None:
    cipher, token = cipher_from(database.settings), PersonalAccessToken("app", SecretStr("secret"))
    add_org(connection, cipher, org_id, org_id, token, organization_id=org_id[-3:], adapter="pco")
    keep_subscription(connection, cipher, org_id, "pco", Subscription("1", EVENT, "http://here"), secret)


def deliver(database: Database, body: bytes, secret: str = f"secret of {ORG}", path: str = PATH) -> tuple[int, Any]:
    return post(database, path, body, signed(EVENT, body, secret.encode()))


def test_a_signed_delivery_is_kept_as_it_came(subscribed: Database) -> None:
    event_id = str(uuid.uuid4())
    body = envelope(EVENT, PAYLOAD, event_id=event_id)
    assert deliver(subscribed, body) == (200, {"received": 1})
    [row] = kept(subscribed)
    assert (row["org_id"], row["event_id"], row["event"]) == (ORG, event_id, EVENT)
    assert (row["stream"], row["record_id"], row["status"]) == ("people.emails", "77", "pending")
    assert row["occurred_at"].isoformat() == "2026-03-04T05:06:07+00:00"
    assert orjson.loads(row["payload"]) == PAYLOAD


def test_the_same_event_is_kept_once_however_often_it_comes(subscribed: Database) -> None:
    body = envelope(EVENT, PAYLOAD)
    with ThreadPoolExecutor(8) as pool:
        statuses = [status for status, _ in pool.map(lambda _: deliver(subscribed, body), range(24))]
    assert statuses == [200] * 24
    assert len(kept(subscribed)) == 1


def test_one_id_of_two_sources_names_two_events(subscribed: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    [event] = read_envelope(envelope(EVENT, PAYLOAD, event_id="7"), ORG, EVENT)
    monkeypatch.setitem(SOURCES, "flock", replace(DEFAULT_SOURCE, adapter="flock"))  # type: ignore[arg-type]
    asyncio.run(_keep_twice(subscribed, [*of_source("pco", [event]), *of_source("flock", [event])]))
    assert [row["event_id"] for row in kept(subscribed)] == ["7", "flock 7"]


async def _keep_twice(database: Database, deliveries: Sequence[Incoming]) -> None:
    async with database.pool(size=1) as pool, pool.connection() as connection:
        for _ in range(2):
            await keep_deliveries(connection, deliveries)


def test_the_secret_of_the_church_named_in_the_body_is_tried(subscribed: Database) -> None:
    body = envelope(EVENT, PAYLOAD, organization_id=OTHER[-3:])
    assert deliver(subscribed, body, path="/api/webhooks/pco")[0] == 401
    assert deliver(subscribed, body, f"secret of {OTHER}", path="/api/webhooks/pco")[0] == 200
    assert [row["org_id"] for row in kept(subscribed)] == [OTHER]
    assert deliver(subscribed, envelope(EVENT, PAYLOAD, organization_id="0"), path="/api/webhooks/pco")[0] == 404
    with subscribed.connect() as connection:
        connection.execute("INSERT INTO sync.source_accounts VALUES (%s, 'another', '5')", (OTHER,))
    of_another_source = envelope(EVENT, PAYLOAD, organization_id="5")
    assert deliver(subscribed, of_another_source, f"secret of {OTHER}", path="/api/webhooks/pco")[0] == 404


def test_a_forged_or_unknown_delivery_is_refused_and_leaves_nothing(subscribed: Database) -> None:
    body = envelope(EVENT, PAYLOAD)
    good = signed(EVENT, body, f"secret of {ORG}".encode())
    name, signature = "X-PCO-Webhooks-Name", "X-PCO-Webhooks-Authenticity"
    wrong = {
        "another org's secret": (401, PATH, body, signed(EVENT, body, f"secret of {OTHER}".encode())),
        "another body": (401, PATH, body + b" ", good),
        "another hash": (401, PATH, body, {**good, signature: hashlib.sha1(body).hexdigest()}),  # noqa: S324
        "no ASCII": (401, PATH, body, {**good, signature: "\xe9" * 64}),
        "empty": (401, PATH, body, {**good, signature: ""}),
        "unsigned": (401, PATH, body, {name: EVENT}),
        "nameless": (401, PATH, body, {signature: good[signature]}),
        "not subscribed": (404, PATH, body, {**good, name: "people.v2.events.email.updated"}),
        "no such org": (404, f"{PATH[:-1]}9", body, good),
        "no org id": (404, "/api/webhooks/pco/..%2f%00", body, good),
        "a body without a church": (404, "/api/webhooks/pco", b"\xff{", good),
        "another method's path": (404, f"{PATH}/more", body, good),
    }
    for what, (status, path, sent, headers) in wrong.items():
        answered, said = post(subscribed, path, sent, headers)
        assert answered == status, what
        assert said["error"]["message"], what
    assert kept(subscribed) == []


def test_signed_deliveries_are_kept_and_unreadable_ones_whole(subscribed: Database) -> None:
    unreadable = [
        b"",
        b"{",
        b"\xff\x00",
        b'{"data": []}',
        b'{"data": [1]}',
        b'{"data": [{"id": 5, "attributes": {"name": "x", "payload": "{}"}}]}',
        b'{"data": [{"id": "a\\u0000b", "attributes": {"name": "x", "payload": "{}"}}]}',
    ]
    for number, body in enumerate(unreadable, start=1):
        assert deliver(subscribed, body)[0] == 200, body
        assert len(kept(subscribed)) == number
    assert [bytes(row["payload"]) for row in kept(subscribed)] == unreadable
    odd = ["not JSON", "[1]", '{"data": {"id": "7\\u0000"}, "meta": 5}', '{"meta": {"event_time": "yesterday"}}']
    for payload in odd:
        assert deliver(subscribed, envelope(EVENT, payload))[0] == 200, payload
    rows = kept(subscribed)[len(unreadable) :]
    assert [bytes(row["payload"]).decode() for row in rows] == odd
    assert {(row["stream"], row["record_id"], row["occurred_at"]) for row in rows} == {("people.emails", None, None)}


def test_a_stale_secret_is_refused_and_the_new_one_taken_without_a_restart(
    subscribed: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "PAUSE_SECONDS", 0.0)
    old = envelope(EVENT, PAYLOAD)
    assert deliver(subscribed, old)[0] == 200
    with subscribed.connect() as connection:
        subscribe(connection, subscribed, ORG, "rotated")
    fresh = envelope(EVENT, PAYLOAD)
    assert deliver(subscribed, fresh, "rotated")[0] == 200
    assert deliver(subscribed, envelope(EVENT, PAYLOAD))[0] == 401
    assert len(kept(subscribed)) == 2


def test_a_removed_org_is_heard_no_more(subscribed: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert deliver(subscribed, envelope(EVENT, PAYLOAD))[0] == 200
    with subscribed.connect() as connection:
        remove_org(connection, ORG)
    monkeypatch.setattr(keyring, "KEPT_SECONDS", 0.0)
    # 410 has Planning Center end the subscription, which nobody here could any more.
    assert deliver(subscribed, envelope(EVENT, PAYLOAD))[0] == 410
    of_removed, of_nobody = (envelope(EVENT, PAYLOAD, organization_id=number) for number in (ORG[-3:], "0"))
    assert deliver(subscribed, of_removed, path="/api/webhooks/pco")[0] == 410
    assert deliver(subscribed, of_nobody, path="/api/webhooks/pco")[0] == 404
    assert deliver(subscribed, envelope(EVENT, PAYLOAD), path=f"{PATH[:-1]}9")[0] == 404
    assert deliver(subscribed, envelope(EVENT, PAYLOAD), f"secret of {OTHER}", path=PATH.replace(ORG, OTHER))[0] == 200
    assert len(kept(subscribed)) == 2


def test_without_postgres_it_requests_another_attempt_and_goes_on_afterwards(subscribed: Database) -> None:
    assert deliver(subscribed, envelope(EVENT, PAYLOAD))[0] == 200
    body = envelope(EVENT, PAYLOAD)
    with subscribed.connect(autocommit=True) as connection:
        connection.execute("ALTER TABLE sync.webhook_deliveries RENAME TO elsewhere")
        status, said = deliver(subscribed, body)
        assert (status, said["error"]["type"]) == (503, "DatabaseUnavailable")
        connection.execute("ALTER TABLE sync.elsewhere RENAME TO webhook_deliveries")
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        connection.execute(f"{cut} AND pid <> pg_backend_pid() AND backend_type = 'client backend'")  # type: ignore[arg-type]
    assert deliver(subscribed, body)[0] == 200
    assert len(kept(subscribed)) == 2


DYING_SERVICES = """
import os, signal, socket
import uvicorn
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.webhooks import commit_queue as keeping
from openfaith_pipeline.service.app import create_app
from openfaith_pipeline.settings import load_settings

settings, keep = load_settings(), keeping.keep_deliveries

async def die_before(connection, deliveries):
    os.kill(os.getpid(), signal.SIGKILL)

async def die_after(connection, deliveries):
    await keep(connection, deliveries)
    os.kill(os.getpid(), signal.SIGKILL)

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
for dying in (die_before, die_after):
    if os.fork() == 0:
        keeping.keep_deliveries = dying
        app = create_app(database_at(settings, configured_url(settings)))
        uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])
    os.wait()
"""


def test_a_service_that_is_killed_before_or_after_it_keeps_a_delivery_loses_and_doubles_none(
    subscribed: Database,
) -> None:
    body = envelope(EVENT, PAYLOAD)
    services = fork_program(DYING_SERVICES, environment=environment_with(**environment_of(subscribed.settings)))
    url = f"http://127.0.0.1:{int(services.stdout.readline())}"
    there = replace(subscribed, settings=subscribed.settings.model_copy(update={"public_url": url}))
    for kept_then in (0, 1):
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            deliver(there, body)
        assert len(kept(subscribed)) == kept_then
    services.finish()
    # Planning Center repeats an unanswered delivery.
    assert deliver(subscribed, body) == (200, {"received": 1})
    assert [row["status"] for row in kept(subscribed)] == ["pending"]


def test_every_event_of_the_simulator_arrives_once_though_sent_twice_late_and_forged(
    service: Database, simulator: SimulatorClient
) -> None:
    [org_id, other] = connect(service, simulator)
    for each in (org_id, other):
        assert asyncio.run(ensure_subscriptions(service, each, adapter="pco")).problem is None
    simulator.set_webhooks(Webhooks(jitter_seconds=0.3, duplicates=0.5, forged=0.5, seed=3))
    for _ in range(10):
        simulator.edit(org_id, "people.emails", count=3)
        simulator.edit(other, "people.people")
    wait_until(lambda: len(kept(service)) == 40)
    time.sleep(0.5)
    deliveries = simulator.deliveries()
    assert {(each["kind"], each["status"]) for each in deliveries} == {
        ("genuine", 200),
        ("duplicate", 200),
        ("forged", 401),
    }
    genuine = {each["event_id"] for each in deliveries if each["kind"] == "genuine"}
    assert sorted(row["event_id"] for row in kept(service)) == sorted(genuine)
    assert {row["org_id"] for row in kept(service)} == {org_id, other}
