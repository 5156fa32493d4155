"""A church that signs whatever does harm: others notice nothing, and its own records are not lost by it."""

import asyncio
import http.client
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from psycopg import AsyncConnection

from openfaith_pipeline.catalog.events import Incoming, moment_of
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import InboxFull
from openfaith_pipeline.load.erased import Erased
from openfaith_pipeline.load.withheld_deliveries import NOTHING, without_erased
from openfaith_pipeline.planning_center.envelopes import MOST_EVENTS, read_envelope
from openfaith_pipeline.service.pace import Pace
from openfaith_pipeline.service.subscribers import PAUSE_SECONDS, Subscribers
from openfaith_pipeline.text import exact_json
from openfaith_pipeline.webhooks import commit_queue as keeping
from openfaith_pipeline.webhooks.commit_queue import LARGE_BYTES, Inbox
from openfaith_pipeline_tests.adversary.sender import (
    DESTROYED,
    HOSTILE,
    PEACEFUL,
    UPDATED,
    body_of,
    claim_once,
    element,
    headers,
    person,
    send,
)
from openfaith_pipeline_tests.integration.webhooks.receiver import kept, post

OUT_OF_RANGE = (
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999Z",
)


def test_a_moment_that_cannot_be_held_is_none() -> None:
    assert [moment_of(text) for text in (*OUT_OF_RANGE, "", "soon", None, 5, [], "infinity")] == [None] * 11
    assert moment_of("2026-03-04T05:06:07") == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert moment_of("2026-03-04T05:06:07+14:00") == datetime(2026, 3, 3, 15, 6, 7, tzinfo=UTC)


def test_no_moment_keeps_anything_from_being_claimed(service: Database) -> None:
    for moment in OUT_OF_RANGE:
        assert send(service, HOSTILE, body_of([element(person(event_time=moment))])) == 200
        timeless = body_of([element(person(event_time=None))])
        assert send(service, HOSTILE, timeless, extra={"X-PCO-Webhooks-Event-Time": moment}) == 200
    assert send(service, PEACEFUL, body_of([element(person())])) == 200
    assert {row["occurred_at"] for row in kept(service) if row["org_id"] == HOSTILE} == {None}
    claimed = [delivery.org_id for _ in range(2) for delivery in claim_once(service)]
    assert sorted(claimed) == [HOSTILE] * 10 + [PEACEFUL]


@pytest.mark.parametrize("moment", ["10000-01-01 14:00Z", "0001-01-01 00:00Z BC", "infinity", "-infinity"])
def test_a_delivery_stored_with_such_a_moment_before_is_claimed_with_the_rest(service: Database, moment: str) -> None:
    with service.connect() as connection:
        for event_id, occurred_at in (("odd", moment), ("plain", "2026-03-04 05:06:07Z")):
            connection.execute(
                "INSERT INTO sync.webhook_deliveries (org_id, event_id, event, payload, occurred_at)"
                " VALUES (%s, %s, %s, '{}', %s::timestamptz)",
                (HOSTILE, event_id, UPDATED, occurred_at),
            )
    odd, plain = claim_once(service)
    assert (odd.occurred_at, plain.occurred_at) == (None, datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC))


def test_an_id_too_long_for_an_index_is_kept_in_its_payload_alone(service: Database) -> None:
    body = body_of([element(person("7" * 500_000))])
    assert send(service, HOSTILE, body) == 200
    [row] = kept(service)
    assert (row["record_id"], row["stream"]) == (None, "people.people")
    assert b"7" * 500_000 in bytes(row["payload"])


def incoming(org_id: str, event_id: str, **fields: Any) -> Incoming:
    return replace(Incoming(org_id, event_id, UPDATED, "people.people", "7", None, b"{}"), **fields)


async def keep_all(database: Database, groups: list[list[Incoming]]) -> list[object]:
    """Keep groups that arrive at the same moment. Returns None for each that was kept, else the error."""
    async with database.pool(size=2, autocommit=True) as pool:
        inbox = Inbox(pool)
        running = asyncio.create_task(inbox.run())
        try:
            return list(await asyncio.gather(*map(inbox.keep, groups), return_exceptions=True))
        finally:
            running.cancel()


def test_a_delivery_that_postgres_refuses_is_kept_bare_and_takes_nobody_along(service: Database) -> None:
    refused: list[dict[str, Any]] = [
        {"record_id": "".join(chr(0x4E00 + number * 37 % 20_000) for number in range(200_000))},
        {"record_id": "a\x00b"},
        {"record_id": "half a \ud800"},
        {"occurred_at": datetime.max.replace(tzinfo=UTC), "stream": "\x00"},
    ]
    hostile = [
        incoming(HOSTILE, f"bad {number}", payload=b"%d" % number, **fields) for number, fields in enumerate(refused)
    ]
    groups = [[incoming(PEACEFUL, "first")], hostile, [incoming(HOSTILE, "good")], [incoming(PEACEFUL, "last")]]
    assert asyncio.run(keep_all(service, groups)) == [None] * 4
    rows = kept(service)
    assert {row["event_id"] for row in rows if row["record_id"]} == {"first", "good", "last"}
    bare = [row for row in rows if row["record_id"] is None]
    assert sorted(bytes(row["payload"]) for row in bare) == [b"0", b"1", b"2", b"3"]
    assert {(row["stream"], row["occurred_at"], row["event"]) for row in bare} == {(None, None, UPDATED)}


def test_an_error_that_nobody_foresaw_in_storing_one_leaves_the_others_stored(
    service: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = keeping.keep_deliveries

    async def keep_unless_odd(connection: AsyncConnection[Any], deliveries: Sequence[Incoming]) -> None:
        if any(each.event_id == "odd" for each in deliveries):
            raise KeyError("of nobody's making")
        await keep(connection, deliveries)

    monkeypatch.setattr(keeping, "keep_deliveries", keep_unless_odd)
    groups = [[incoming(PEACEFUL, "first")], [incoming(HOSTILE, "odd", payload=b"odd")], [incoming(PEACEFUL, "last")]]
    assert asyncio.run(asyncio.wait_for(keep_all(service, groups), 30)) == [None] * 3
    assert {bytes(row["payload"]) for row in kept(service) if row["stream"] is None} == {b"odd"}
    assert {row["event_id"] for row in kept(service)} > {"first", "last"}


def test_a_document_that_cannot_be_written_without_the_erased_is_emptied() -> None:
    """Where that failed, neither the receiver nor the applier went on, for any church."""
    deep = exact_json.read(b"[" * 300 + b"]" * 300)
    document = {"data": {"type": "Person", "id": "7", "attributes": {"unheard_of": deep}}, "included": [{"id": "8"}]}
    erased = Erased(b"salt", {"people.people": frozenset({b"the mark of another"})})
    assert without_erased(erased, "people.people", "7", json.dumps(document).encode()) == NOTHING


def test_a_body_of_very_many_elements_is_kept_once(service: Database) -> None:
    bodies = [body_of([1] * 500_000), body_of([1, 2, 3]), body_of([element(person())] * (MOST_EVENTS + 1))]
    for body in bodies:
        assert send(service, HOSTILE, body) == 200
    assert [bytes(row["payload"]) for row in kept(service)] == bodies


def test_the_readable_part_of_a_body_is_kept_beside_the_whole(service: Database) -> None:
    body = body_of([element(person(), event_id="one"), "junk", 5, element(person("8"), event_id="two")])
    assert send(service, HOSTILE, body) == 200
    found = {row["event_id"]: bytes(row["payload"]) for row in kept(service)}
    assert len(found) == 3
    assert {"one", "two"} < set(found)
    assert body in found.values()


def test_much_of_one_org_is_refused_before_it_fills_the_memory_and_another_is_kept(
    service: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "MOST_WAITING_BYTES", 1000)
    flood = [[incoming(HOSTILE, str(number), payload=b"x" * 400)] for number in range(10)]
    answers = asyncio.run(keep_all(service, [*flood, [incoming(PEACEFUL, "one")]]))
    assert [type(answer) for answer in answers[:-1]] == [type(None)] * 2 + [InboxFull] * 8
    assert answers[-1] is None
    assert asyncio.run(keep_all(service, [[incoming(HOSTILE, "alone", payload=b"x" * 2000)]])) == [None]


def test_orgs_take_turns_in_being_kept(service: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_AT_ONCE", 4)
    flood = [incoming(HOSTILE, str(number)) for number in range(40)]
    assert asyncio.run(keep_all(service, [flood, [incoming(PEACEFUL, "one")]])) == [None, None]
    places = [row["org_id"] for row in kept(service)]
    assert places.index(PEACEFUL) < 4


def test_orgs_take_turns_in_being_applied_and_bytes_bound_a_batch(service: Database) -> None:
    with service.connect() as connection:
        for org_id, count in ((HOSTILE, 30), (PEACEFUL, 1)):
            connection.execute(
                "INSERT INTO sync.webhook_deliveries (org_id, event_id, event, payload)"
                " SELECT %s, number::text, %s, convert_to(repeat('x', 1000), 'UTF8')"
                "   FROM generate_series(1, %s) AS number",
                (org_id, UPDATED, count),
            )
    turns: list[tuple[str, int]] = []
    for number in range(4):
        claimed = claim_once(service, f"holder {number}", most=10, most_bytes=4500)
        turns.append((claimed[0].org_id, len(claimed)))
        with service.connect() as connection:  # settle the claimed deliveries
            connection.execute("UPDATE sync.webhook_deliveries SET status = 'applied' WHERE holder IS NOT NULL")
    assert turns == [(HOSTILE, 5), (PEACEFUL, 1), (HOSTILE, 5), (HOSTILE, 5)]


def test_the_name_of_an_event_is_that_of_the_secret_that_signed_it(service: Database) -> None:
    gone = {"data": {"type": "Person", "id": "7"}, "meta": {}}
    assert send(service, HOSTILE, body_of([element(gone, name=DESTROYED)]), event=UPDATED) == 200
    [row] = kept(service)
    assert (row["event"], row["stream"]) == (UPDATED, "people.people")


def test_several_ends_in_one_body_have_to_be_confirmed() -> None:
    ends = [element({"data": {"type": "Person", "id": str(number)}}, name=DESTROYED) for number in range(3)]
    assert [each.is_doubtful for each in read_envelope(body_of(ends), HOSTILE, DESTROYED)] == [True] * 3
    assert [each.is_doubtful for each in read_envelope(body_of(ends[:1]), HOSTILE, DESTROYED)] == [False]
    assert [each.is_doubtful for each in read_envelope(body_of(ends), HOSTILE, UPDATED)] == [False] * 3


@pytest.mark.parametrize(
    ("path", "extra", "status"),
    [
        (f"/api/webhooks/pco/{HOSTILE}", {}, 401),
        ("/api/webhooks/pco", {}, 401),
        (f"/api/webhooks/pco/{HOSTILE}", {"X-PCO-Webhooks-Authenticity": "0" * 63}, 401),
        (f"/api/webhooks/pco/{HOSTILE}", {"X-PCO-Webhooks-Name": "people.v2.events.email.updated"}, 404),
        (f"/api/webhooks/pco/{HOSTILE[:-1]}9", {}, 404),
        ("/api/webhooks/pco/made-up", {}, 404),
    ],
)
def test_a_foreign_delivery_is_refused_before_its_body_comes(
    service: Database, path: str, extra: dict[str, str], status: int
) -> None:
    shaped = {"X-PCO-Webhooks-Name": UPDATED, "X-PCO-Webhooks-Authenticity": "0" * 64}
    sent = {**(shaped if extra or status == 404 else {}), **extra, "Content-Length": "1000000"}
    connection = http.client.HTTPConnection(urlsplit(str(service.settings.public_url)).netloc, timeout=120)
    connection.putrequest("POST", path)
    for name, value in sent.items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == status
    connection.close()
    assert kept(service) == []


def test_made_up_orgs_cost_few_looks_at_the_database(service: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    read = Subscribers._read

    def counted(subscribers: Subscribers) -> Any:
        looks.append(time.monotonic())
        return read(subscribers)

    monkeypatch.setattr(Subscribers, "_read", counted)
    shaped = {"X-PCO-Webhooks-Name": UPDATED, "X-PCO-Webhooks-Authenticity": "0" * 64}

    def ask(number: int) -> int:
        return post(service, f"/api/webhooks/pco/org_{number}", b"", shaped)[0]

    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(ask, range(100))) == {404}
    assert len(looks) <= 2 + (looks[-1] - looks[0]) / PAUSE_SECONDS


def test_large_bodies_and_refusals_have_their_own_pace_and_small_deliveries_have_none(
    service: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: dict[Any, float] = {}

    def wait_after(_pace: Pace, caller: Any, amount: float) -> float:
        counted[caller] = counted.get(caller, 0) + amount
        return 0.0

    monkeypatch.setattr(Pace, "wait_after", wait_after)
    large = body_of([element(person(nickname="x" * 500_000))])
    assert send(service, PEACEFUL, body_of([element(person())])) == 200
    assert counted == {}
    assert send(service, HOSTILE, large) == 200
    assert len(large) - LARGE_BYTES <= counted.pop((HOSTILE, "127.0.0.1")) <= len(large)
    forged = {**headers(HOSTILE, UPDATED, b"another"), "X-Forwarded-For": "203.0.113.7"}
    assert post(service, f"/api/webhooks/pco/{HOSTILE}", b"{}", forged)[0] == 401
    assert counted == {"127.0.0.1": 1}
