"""Deliveries become rows: whatever their order, however often, and whatever the API does meanwhile."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from psycopg import AsyncConnection

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Page
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import TransientError
from openfaith_pipeline.load.sessions import Session
from openfaith_pipeline.load.staging import commit_page
from openfaith_pipeline.simulator import Script, SimulatorClient, Traps, Webhooks
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.webhooks.applier import LOST_APART
from openfaith_pipeline.webhooks.deliveries import replay
from openfaith_pipeline.webhooks.record_events import News, Step, decide
from openfaith_pipeline.webhooks.refetch import FLOOD
from openfaith_pipeline_tests.integration.sync.church import differences, statuses, stored, sync
from openfaith_pipeline_tests.integration.webhooks.application import (
    EMAILS,
    OF_PEOPLE,
    PEOPLE,
    apply_all,
    arrived,
    canonical,
    carry_out_requests,
    make_due,
    outcomes,
    put,
    told_differences,
)
from openfaith_pipeline_tests.integration.webhooks.receiver import kept
from openfaith_pipeline_tests.waiting import wait_until

ITEM = (
    '{{"data": {{"type": "Item", "id": "{0}", "attributes": {{"title": "A song"}},'
    ' "relationships": {{"plan": {{"data": {{"type": "Plan", "id": {1}}}}}}}}}}}'
)
LINKED = (
    '{"data": {"type": "Item", "id": "5", "attributes": {"title": "A song"}, "links": {"self": "https://[half"},'
    ' "relationships": {"plan": {"data": null}}}}'
)
MERGER = (
    '{"data": {"type": "PersonMerger", "id": "5", "attributes": {"created_at": "2026-01-02T03:04:05Z",'
    ' "person_to_keep_id": 7, "person_to_remove_id": 8}}}'
)
"""A number where other documents have a text, and no relationships."""


def test_a_church_that_changes_in_every_way_converges_though_events_come_late_twice_and_mixed_up(
    service: Database, simulator: SimulatorClient, org: str
) -> None:
    sync(service, org, OF_PEOPLE, SyncMode.RECONCILE)
    simulator.set_webhooks(Webhooks(jitter_seconds=0.5, duplicates=0.3, forged=0.2, seed=5))
    for round_ in range(2):
        simulator.edit(org, "people.people", count=4)
        simulator.edit(org, "people.emails", count=4, attributes={"location": f"Barn {round_}"})
        [person] = simulator.add(org, "people.people")
        [email] = simulator.add(org, "people.emails", relations={"person": person})
        simulator.edit(org, "people.emails", [email], attributes={"address": f"late{round_}@example.org"})
        simulator.delete(org, "people.emails", [email] if round_ else [])
    removed = simulator.merge(org, "people.people")["remove"]
    gone = int(stored(service, org, PEOPLE).popitem()[0])
    simulator.delete(org, "people.people", [gone])
    arrived(service, simulator)
    apply_all(service)
    carry_out_requests(service, org)  # for deliveries too many to fetch one by one
    make_due(service)  # records deleted along with another are known to be gone by now
    apply_all(service)
    assert told_differences(service, simulator, org) == []
    assert [row["error"] for row in kept(service) if row["status"] in {"pending", "failed"}] == []
    left = {row["person_id"] for row in stored(service, org, EMAILS).values()}
    assert not {str(removed), str(gone)} & left
    assert told_differences(service, simulator, org) == []


def test_a_changed_person_is_in_the_canonical_row(service: Database, simulator: SimulatorClient, org: str) -> None:
    [person] = simulator.edit(org, "people.people", attributes={"first_name": "Ottoline"})
    arrived(service, simulator)
    [applied] = apply_all(service)
    assert applied.published["people.people"] == 1
    assert canonical(service, org, str(person))["firstName"] == "Ottoline"
    with service.connect() as connection:
        assert connection.execute(
            "SELECT status, mode, trigger FROM sync.syncs WHERE sync_id = %s", (applied.sync_id,)
        ).fetchall() == [("succeeded", "webhook", "webhook")]
        watermark = "SELECT holder, last_succeeded_at FROM sync.stream_states WHERE stream = 'people.people'"
        [(holder, _)] = connection.execute(watermark).fetchall()
    assert holder is None


def test_a_payload_is_applied_at_once_and_its_missing_parts_when_the_api_answers(
    service: Database, simulator: SimulatorClient, org: str
) -> None:
    simulator.script(Script(answer="not_found", org=org, stream="people.people", times=1))
    [person] = simulator.add(org, "people.people", attributes={"first_name": "Ottoline"})
    arrived(service, simulator)
    apply_all(service)
    assert canonical(service, org, str(person))["firstName"] == "Ottoline"
    assert outcomes(service) == {"pending": 1}
    [waiting] = kept(service)
    assert (waiting["attempts"], waiting["holder"]) == (1, None)
    assert "404" in waiting["error"]
    make_due(service)
    apply_all(service)
    assert outcomes(service) == {"applied": 1}
    assert differences(service, simulator, org, [PEOPLE]) == []


def test_a_new_primary_email_is_shown_although_no_event_says_that_the_former_is_none(
    service: Database, simulator: SimulatorClient, org: str
) -> None:
    former = next(each for each in simulator.truth(org, "people.emails") if each["attributes"]["primary"])
    person = former["relationships"]["person"]["data"]["id"]
    [newer] = simulator.add(org, "people.emails", relations={"person": int(person)})
    address = {"address": "newer@example.org", "primary": True}
    simulator.edit(org, "people.emails", [newer], attributes=address)
    arrived(service, simulator)
    apply_all(service)
    with service.connect() as connection:
        shown = connection.execute(
            "SELECT email FROM openfaith.people_with_contacts WHERE org_id = %s AND person_id = %s", (org, person)
        ).fetchall()
    assert shown == [("newer@example.org",)]
    assert stored(service, org, EMAILS)[former["id"]]["primary"] is True
    # Its person has changed, whose page brings it.
    sync(service, org, [PEOPLE, EMAILS])
    assert differences(service, simulator, org, [EMAILS]) == []


def test_a_new_record_is_not_deleted_while_the_api_lacks_it(
    service: Database, simulator: SimulatorClient, org: str
) -> None:
    """An event may come long before its record can be read: over an hour, as reported."""
    simulator.set_traps(org, Traps(late_records={"people.emails": 3600}))
    late, listed = sorted(simulator.add(org, "people.emails", count=2), key=lambda id: id % 2 == 0)
    arrived(service, simulator)
    apply_all(service)
    results = sync(service, org, [EMAILS], SyncMode.RECONCILE)
    assert statuses(results) == {}
    assert {str(late), str(listed)} <= stored(service, org, EMAILS).keys()
    simulator.delete(org, "people.emails", [listed])
    with service.connect() as connection:
        connection.execute("UPDATE pco_people.emails SET _first_seen_at = _first_seen_at - interval '3 hours'")
    assert sync(service, org, [EMAILS], SyncMode.RECONCILE)["people.emails"].deleted == 2
    simulator.set_traps(org, Traps())
    sync(service, org, [EMAILS], SyncMode.RECONCILE)
    assert differences(service, simulator, org, [EMAILS]) == []


def test_a_new_record_stays_while_its_parent_comes_without_it(
    service: Database, simulator: SimulatorClient, org: str
) -> None:
    workflows, steps = STREAMS["people.workflows"], STREAMS["people.workflow_steps"]
    sync(service, org, [workflows, steps])
    simulator.set_traps(org, Traps(late_records={steps.name: 3600}))
    [workflow, *_] = simulator.edit(org, workflows.name, attributes={"name": "Welcome"})
    made = simulator.add(org, steps.name, count=2, relations={"workflow": workflow})
    records = {int(each["id"]): each for each in simulator.truth(org, steps.name)}

    def arrive(event: str, stream: Stream, id: int) -> None:
        payload = orjson.dumps({"data": records[id], "meta": {"parent": {"type": "Workflow", "id": str(workflow)}}})
        put(service, org, f"people.v2.events.{event}", payload, str(id), stream=stream.name)

    for id in made:
        arrive("workflow_step.created", steps, id)
    apply_all(service)
    assert {str(id) for id in made} <= stored(service, org, steps).keys()
    records = {int(each["id"]): each for each in simulator.truth(org, workflows.name)}
    arrive("workflow.updated", workflows, workflow)
    simulator.forget_requests()
    apply_all(service)
    assert [each["rows"] for each in simulator.requests(stream=workflows.name)] == [1]
    assert {str(id) for id in made} <= stored(service, org, steps).keys()


def test_a_record_that_its_parent_does_not_name_is_requested_before_it_counts_as_deleted(
    service: Database, simulator: SimulatorClient, org: str
) -> None:
    """For minutes after a change, a record need not name all that belong to it."""
    workflows, steps = STREAMS["people.workflows"], STREAMS["people.workflow_steps"]
    sync(service, org, [workflows, steps])
    before = stored(service, org, steps)
    newest = max(before, key=int)
    workflow = before[newest]["workflow_id"]
    simulator.set_traps(org, Traps(late_linkage=(steps.name,)))

    def rename(name: str) -> None:
        simulator.edit(org, workflows.name, [int(workflow)], attributes={"name": name})
        [record] = [each for each in simulator.truth(org, workflows.name) if each["id"] == workflow]
        put(service, org, "people.v2.events.workflow.updated", orjson.dumps({"data": record}), workflow)
        apply_all(service)

    rename("Welcome")
    assert stored(service, org, workflows)[workflow]["name"] == "Welcome"
    assert stored(service, org, steps) == before
    simulator.delete(org, steps.name, [int(newest)])
    rename("Farewell")
    assert before.keys() - stored(service, org, steps).keys() == {newest}


def test_an_old_or_repeated_event_changes_nothing(service: Database, simulator: SimulatorClient, org: str) -> None:
    [email] = simulator.edit(org, "people.emails", attributes={"location": "Old"})
    arrived(service, simulator)
    simulator.advance_clock(5)
    simulator.edit(org, "people.emails", [email], attributes={"location": "New"})
    arrived(service, simulator)
    with service.connect() as connection:  # the newer one first, and alone
        connection.execute(
            "UPDATE sync.webhook_deliveries SET next_attempt_at = 'infinity'"
            " WHERE id = (SELECT min(id) FROM sync.webhook_deliveries)"
        )
    apply_all(service)
    make_due(service)
    simulator.forget_requests()
    apply_all(service)
    assert outcomes(service) == {"applied": 1, "superseded": 1}
    assert simulator.requests() == []
    assert differences(service, simulator, org, [EMAILS]) == []
    with service.connect() as connection:
        assert replay(connection, org_id=org, since=None, statuses=["applied", "superseded"]) == 2
    apply_all(service)
    assert differences(service, simulator, org, [EMAILS]) == []


def test_an_end_reported_before_the_beginning_is_the_end(
    service: Database, simulator: SimulatorClient, org: str
) -> None:
    [email] = simulator.add(org, "people.emails")
    simulator.delete(org, "people.emails", [email])
    arrived(service, simulator)
    with service.connect() as connection:
        connection.execute(
            "UPDATE sync.webhook_deliveries SET next_attempt_at = 'infinity' WHERE event LIKE '%created'"
        )
    apply_all(service)
    make_due(service)
    apply_all(service)
    assert str(email) not in stored(service, org, EMAILS)
    assert outcomes(service) == {"applied": 2}


def test_an_end_that_may_not_be_the_newest_is_fetched(service: Database, simulator: SimulatorClient, org: str) -> None:
    now = datetime.now(UTC) + timedelta(days=1)
    ends = {"older": datetime(2001, 1, 1, tzinfo=UTC), "timeless": None, "one of many": now}
    there = sorted(stored(service, org, EMAILS))
    for email, (name, occurred_at) in zip(there, ends.items(), strict=False):
        payload = b'{"data": {"type": "Email", "id": "%s"}, "meta": {}}' % email.encode()
        is_doubtful = name == "one of many"
        put(
            service,
            org,
            "people.v2.events.email.destroyed",
            payload,
            email,
            occurred_at=occurred_at,
            is_doubtful=is_doubtful,
        )
    simulator.forget_requests()
    apply_all(service)
    assert len(simulator.requests(stream="people.emails")) == 3
    assert outcomes(service) == {"applied": 3}
    assert sorted(stored(service, org, EMAILS)) == there
    simulator.forget_requests()
    last = there[-1]
    payload = b'{"data": {"type": "Email", "id": "%s"}, "meta": {}}' % last.encode()
    put(service, org, "people.v2.events.email.destroyed", payload, last, occurred_at=now)
    apply_all(service)
    assert sorted(stored(service, org, EMAILS)) == there[:-1]
    assert simulator.requests(stream="people.emails") == []


def test_a_flood_is_one_sync(service: Database, simulator: SimulatorClient, org: str) -> None:
    simulator.add(org, "people.people", count=FLOOD + 10)
    arrived(service, simulator)
    simulator.forget_requests()
    apply_all(service)
    assert len(stored(service, org, PEOPLE)) == len(simulator.truth(org, "people.people"))
    assert simulator.requests(stream="people.people") == []
    assert outcomes(service) == {"requested": FLOOD + 10}
    with service.connect() as connection:
        [(payload, trigger)] = connection.execute("SELECT payload, trigger FROM sync.requests").fetchall()
    assert (payload["mode"], trigger) == ("incremental", "webhook")
    assert set(payload["streams"]) == {"people.people", "people.person_apps"}


def test_poison_ends_with_its_reason_and_holds_up_nothing(
    service: Database, simulator: SimulatorClient, org: str
) -> None:
    email = "people.v2.events.email.created"
    put(service, org, email, b"{")
    put(service, org, email, b'{"data": {"type": "Person", "id": "5", "attributes": {"name": "x"}}}', "5")
    put(service, org, email, b'{"data": {"type": "Email", "id": "5", "attributes": 7}}', "5")
    put(service, org, email, b'{"data": {"type": "Email", "id": "5"}}', "5")
    put(service, org, "people.v2.events.nothing.created", b"{}")
    for number, plan in enumerate(('{"no": "text"}', "7", '"7\\u0000"', '"\\ud800"'), start=1):
        put(service, org, "services.v2.events.plan_item.created", ITEM.format(number, plan).encode())
    put(service, org, "services.v2.events.plan_item.created", LINKED.encode())
    put(service, org, "people.v2.events.person_merger.created", MERGER.encode())
    simulator.edit(org, "people.emails")
    wait_until(lambda: len(kept(service)) == 12)
    simulator.forget_requests()
    apply_all(service)
    assert any(request["target"].startswith("/people/v2/people/7?") for request in simulator.requests())
    assert outcomes(service) == {"failed": 4, "ignored": 1, "applied": 7}
    assert {id: row["plan_id"] for id, row in stored(service, org, STREAMS["services.items"]).items()} == {
        **dict.fromkeys("1345"),
        "2": "7",
    }
    assert all(row["error"] for row in kept(service) if row["status"] == "failed")
    assert differences(service, simulator, org, [EMAILS]) == []


def test_what_nobody_foresaw_of_one_delivery_is_its_own(
    service: Database, simulator: SimulatorClient, org: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = sorted(stored(service, org, EMAILS))[:3]
    for email in (first, second, third):
        simulator.edit(org, "people.emails", [int(email)], attributes={"location": "Barn"})
    arrived(service, simulator)

    def broken(news: News, *rest: Any, **more: Any) -> Step:
        if news.record_id == second:
            raise KeyError("Jane Doe")
        return decide(news, *rest, **more)

    monkeypatch.setattr("openfaith_pipeline.webhooks.applier.decide", broken)
    apply_all(service)
    assert outcomes(service) == {"applied": 2, "pending": 1}
    [left] = [row for row in kept(service) if row["status"] == "pending"]
    assert (left["record_id"], left["attempts"]) == (second, 1)
    assert "KeyError in test_what_nobody_foresaw" in left["error"] and "Jane Doe" not in left["error"]
    assert [row["location"] for row in map(stored(service, org, EMAILS).get, (first, third)) if row] == ["Barn"] * 2


def test_a_stream_that_a_sync_holds_is_waited_for(service: Database, simulator: SimulatorClient, org: str) -> None:
    simulator.edit(org, "people.emails")
    simulator.edit(org, "people.people", attributes={"first_name": "Ottoline"})
    arrived(service, simulator)
    hold = "UPDATE sync.stream_states SET holder = 'elsewhere:1:x', lease_expires_at = now() + %s WHERE stream = %s"
    with service.connect() as connection:
        connection.execute(hold, (timedelta(minutes=1), "people.emails"))
    apply_all(service)
    assert outcomes(service) == {"pending": 1, "applied": 1}
    assert [row["attempts"] for row in kept(service) if row["status"] == "pending"] == [0]
    with service.connect() as connection:
        connection.execute(hold, (timedelta(minutes=-1), "people.emails"))
    make_due(service)
    apply_all(service)
    assert outcomes(service) == {"applied": 2}
    assert differences(service, simulator, org, [EMAILS]) == []


def test_an_unfinished_walk_is_continued_after_a_webhook(
    service: Database, simulator: SimulatorClient, org: str
) -> None:
    simulator.edit(org, "people.emails", count=3)
    arrived(service, simulator)
    with service.connect() as connection:
        connection.execute(
            "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status)"
            " SELECT sync_id, %s, 'people.emails', 'people.emails', 'incremental', 'running' FROM sync.syncs LIMIT 1",
            (org,),
        )
    apply_all(service)
    with service.connect() as connection:
        left = connection.execute(
            "SELECT mode, status FROM sync.stream_syncs WHERE stream = 'people.emails' ORDER BY id DESC LIMIT 2"
        ).fetchall()
    assert left == [("webhook", "succeeded"), ("incremental", "failed")]


def test_a_record_deleted_while_its_sync_was_interrupted_does_not_come_back(
    service: Database, simulator: SimulatorClient, org: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [there] = simulator.edit(org, "people.emails", attributes={"location": "Barn"})
    [new] = simulator.add(org, "people.emails")

    async def dying(connection: AsyncConnection[Any], session: Session, page: Page) -> dict[str, int]:
        await commit_page(connection, session, page)
        raise TransientError("its process ended")

    with monkeypatch.context() as patch:
        patch.setattr("openfaith_pipeline.sync.reading.commit_page", dying)
        assert set(statuses(sync(service, org, [EMAILS]))) == {EMAILS.name}
    simulator.delete(org, "people.emails", [there, new])
    arrived(service, simulator)
    apply_all(service)
    assert not {str(there), str(new)} & stored(service, org, EMAILS).keys()
    simulator.forget_requests()
    assert statuses(sync(service, org, [EMAILS])) == {}
    assert simulator.requests(stream="people.emails") == [], "the interrupted sync is continued"
    assert not {str(there), str(new)} & stored(service, org, EMAILS).keys()


def test_events_of_one_org_change_nothing_of_another(service: Database, simulator: SimulatorClient, org: str) -> None:
    other = next(church["org_id"] for church in simulator.churches() if church["org_id"] != org)
    sync(service, other, [PEOPLE, EMAILS])
    before = stored(service, other, PEOPLE)
    simulator.edit(org, "people.people", count=20)
    arrived(service, simulator)
    apply_all(service)
    assert stored(service, other, PEOPLE) == before
    assert differences(service, simulator, org, [PEOPLE]) == []


def test_a_record_that_no_list_shows_comes_by_its_events_and_is_requested_nowhere(
    service: Database, simulator: SimulatorClient, org: str
) -> None:
    requests = STREAMS["calendar.event_requests"]
    attributes = {"last_activity_at": "2026-07-02T10:00:00Z", "status": "pending"}
    simulator.forget_requests()
    first, second = simulator.add(org, requests.name, count=2, attributes=attributes)
    later = {"last_activity_at": "2026-07-02T11:00:00Z", "status": "approved"}
    simulator.edit(org, requests.name, [first], attributes=later)
    arrived(service, simulator)
    apply_all(service)
    assert differences(service, simulator, org, [requests]) == []
    simulator.delete(org, requests.name, [second])
    simulator.edit(org, requests.name, [first], attributes=attributes)  # an old event that comes late
    arrived(service, simulator)
    apply_all(service)
    assert {id: row["status"] for id, row in stored(service, org, requests).items()} == {str(first): "approved"}
    assert [row for row in simulator.requests() if "event_request" in row["target"]] == []
    result = sync(service, org, [requests], SyncMode.RECONCILE)[requests.name]
    assert (result.status, result.requests, result.deleted, result.row_count) == ("succeeded", 0, 0, 1)


@pytest.mark.parametrize(
    ("event", "name", "parents"),
    [
        ("publishing.v2.events.episode_time.created", "publishing.episode_times", ("publishing.episodes",)),
        (
            "services.v2.events.plan_note.created",
            "services.plan_notes",
            ("services.service_types", "services.plans", "services.plan_templates"),
        ),
    ],
)
def test_a_new_record_that_does_not_name_its_parent_is_read_from_the_parents_list(
    service: Database, simulator: SimulatorClient, org: str, event: str, name: str, parents: tuple[str, ...]
) -> None:
    stream = STREAMS[name]
    sync(service, org, [*map(STREAMS.__getitem__, parents), stream])
    simulator.set_webhooks(Webhooks(lost=1.0))
    shown = {*stream.has_many, *stream.belongs_to} - set(stream.unshown)

    def added() -> dict[str, Any]:
        identifier = str(simulator.add(org, name)[0])
        return next(each for each in simulator.truth(org, name) if each["id"] == identifier)

    def payload(record: dict[str, Any], parent: dict[str, str]) -> bytes:
        related = {each: value for each, value in record["relationships"].items() if each in shown}
        data = {**{key: record[key] for key in ("type", "id", "attributes")}, "relationships": related}
        return orjson.dumps({"data": data, "meta": {"parent": parent}})

    first = added()
    put(service, org, event, payload(first, {"type": "Organization", "id": "1"}), first["id"], stream=name)
    apply_all(service)
    assert outcomes(service) == {"requested": 1}
    inner = f"{stream.placeholders[-1]}_id"
    assert stored(service, org, stream)[first["id"]][inner] is None
    carry_out_requests(service, org)

    second = added()
    way = next(way for way in stream.parent_ways if (second["relationships"][way[-1]] or {}).get("data"))
    owner = second["relationships"][way[-1]]["data"]
    put(service, org, event, payload(second, owner), second["id"], stream=name)
    apply_all(service)
    assert outcomes(service) == {"requested": 1, "applied": 1}
    found = differences(service, simulator, org, [stream])
    assert [each for each in found if each.startswith((f"{name} {first['id']}", f"{name} {second['id']}"))] == []


def test_a_storm_of_records_that_do_not_name_their_parents_is_two_syncs(
    service: Database, simulator: SimulatorClient, org: str
) -> None:
    stream, event = STREAMS["publishing.episode_times"], "publishing.v2.events.episode_time"
    sync(service, org, [STREAMS["publishing.episodes"], stream])
    simulator.set_webhooks(Webhooks(lost=1.0))
    made = {str(id) for id in simulator.add(org, stream.name, count=FLOOD + 3)}
    storm = [record for record in simulator.truth(org, stream.name) if record["id"] in made]

    def arrive(action: str, record: dict[str, Any]) -> None:
        data = {**{key: record[key] for key in ("type", "id", "attributes")}, "relationships": {}}
        payload = orjson.dumps({"data": data, "meta": {"parent": {"type": "Organization", "id": "1"}}})
        put(service, org, f"{event}.{action}", payload, record["id"], stream=stream.name)

    for record in storm[: FLOOD + 1]:
        arrive("created", record)
    apply_all(service)
    assert requested(service, "launched") == [("incremental", None)]
    for record in storm[FLOOD + 1 :]:  # one by one: while the sync runs, and after it
        arrive("created", record)
        arrive("destroyed", {**record, "id": f"9{record['id']}"})
        arrive("created", {**record, "id": f"9{record['id']}"})
        apply_all(service)
        requested(service, "succeeded", of="launched")
    assert requested(service, "waiting") == [("incremental", LOST_APART // timedelta(minutes=1))]
    carry_out_requests(service, org)
    before = outcomes(service)
    simulator.forget_requests()
    for record in storm[-3:]:  # known by now, so each is placed by its row
        arrive("updated", {**record, "attributes": {**record["attributes"], "video_url": "https://example.org/1"}})
        apply_all(service)
    paths = [row["target"].partition("?")[0] for row in simulator.requests(org=org)]
    assert {path.rpartition("/")[2] for path in paths} <= made, "not the whole stream"
    assert outcomes(service) == {**before, "applied": before.get("applied", 0) + 3}
    assert set(before) == {"requested"}
    assert differences(service, simulator, org, [stream]) == []


def requested(service: Database, becomes: str, of: str = "waiting") -> list[tuple[str, int | None]]:
    """The requests of this status, by mode and the minutes until they may begin; they have that status afterwards."""
    with service.connect() as connection:
        return connection.execute(
            "UPDATE sync.requests SET status = %(becomes)s,"
            " finished_at = CASE WHEN %(becomes)s = 'succeeded' THEN now() END WHERE status = %(of)s"
            " RETURNING payload ->> 'mode', round(extract(epoch FROM not_before - now()) / 60)::integer",
            {"becomes": becomes, "of": of},
        ).fetchall()
