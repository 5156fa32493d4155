"""Subscriptions, and the deliveries posted to them when the church changes."""

import hashlib
import hmac
from typing import Any

import orjson
import pytest

from openfaith_pipeline.simulator import ChurchSpec, Webhooks
from openfaith_pipeline.simulator.events import EVENT_NAMES
from openfaith_pipeline.simulator.webhooks import Delivery
from openfaith_pipeline_tests.unit.simulator.api import ORG, Api, error_of

PATH = "/webhooks/v2/webhook_subscriptions"
URL = "http://127.0.0.1:9/api/webhooks/pco"


@pytest.fixture
def api() -> Api:
    return Api(ChurchSpec(ORG, people=12))


@pytest.fixture
def posted(api: Api) -> list[tuple[Delivery, float]]:
    """The deliveries handed over for sending, each with its delay."""
    found: list[tuple[Delivery, float]] = []
    api.center.switchboard.post = lambda delivery, wait: found.append((delivery, wait))
    return found


def sent(api: Api, method: str, path: str, attributes: dict[str, Any] | None = None) -> tuple[int, Any]:
    body = orjson.dumps({"data": {"type": "WebhookSubscription", "attributes": attributes}}) if attributes else b""
    answer = api.send(path, method, body)
    return answer.status, orjson.loads(answer.body)["data"] if answer.status in (200, 201) else answer


def subscribe(api: Api, name: str) -> Any:
    status, subscription = sent(api, "POST", PATH, {"name": name, "url": URL, "active": True})
    assert status == 201
    return subscription


def inner(delivery: Delivery) -> Any:
    [event] = orjson.loads(delivery.body)["data"]
    assert event["attributes"]["attempt"] == delivery.attempt
    assert event["relationships"]["organization"]["data"]["type"] == "Organization"
    return orjson.loads(event["attributes"]["payload"])


def test_every_event_is_offered_once(api: Api) -> None:
    rows = api.everything("/webhooks/v2/available_events")
    assert sorted(row["attributes"]["name"] for row in rows) == sorted(EVENT_NAMES)


def test_a_subscription_is_made_listed_switched_rotated_and_deleted(api: Api) -> None:
    made = subscribe(api, "people.v2.events.email.created")
    assert made["attributes"]["authenticity_secret"]
    others = {row["id"] for row in api.everything(PATH)} - {made["id"]}
    assert len(others) == 4
    own = f"{PATH}/{made['id']}"
    assert sent(api, "PATCH", own, {"active": False})[1]["attributes"]["active"] is False
    assert api.get(own)["data"]["attributes"]["active"] is False
    _, rotated = sent(api, "POST", f"{own}/rotate_secret")
    assert rotated["attributes"]["authenticity_secret"] != made["attributes"]["authenticity_secret"]
    assert sent(api, "DELETE", own)[0] == 204
    assert {row["id"] for row in api.everything(PATH)} == others


@pytest.mark.parametrize(
    ("version", "status"),
    [("", 404), ("2018-08-01", 404), ("2022-10-20", 200), ("LATEST", 200), ("2018-07-31", 400)],
)
def test_subscriptions_are_at_this_path_in_the_later_version_alone(api: Api, version: str, status: int) -> None:
    assert api.send(PATH, x_pco_api_version=version).status == status


def test_a_wrong_request_is_refused(api: Api) -> None:
    made = subscribe(api, "people.v2.events.email.created")
    taken = {"name": "people.v2.events.email.created", "url": URL}
    assert sent(api, "POST", PATH, taken)[0] == 409
    assert sent(api, "POST", PATH, {**taken, "name": "people.v2.events.email.eaten"})[0] == 422
    assert sent(api, "POST", PATH, {**taken, "url": "ftp://127.0.0.1/"})[0] == 422
    assert sent(api, "PATCH", f"{PATH}/{made['id']}", {"url": URL})[0] == 422
    assert sent(api, "PATCH", f"{PATH}/1", {"active": True})[0] == 404
    assert api.send(PATH, "POST", b"nothing").status == 400
    assert api.send("/people/v2/people", "POST", b"{}").status == 403
    api.trap(forbidden_streams=("webhooks.webhook_subscriptions",))
    assert sent(api, "POST", PATH, {**taken, "url": f"{URL}/more"})[0] == 403
    api.church.granted = frozenset({"people"})
    refused = sent(api, "POST", PATH, taken)
    assert refused[0] == 401
    assert "TRASH_PANDA" in error_of(refused[1])["detail"]


def test_changes_are_posted_signed_with_the_subscription_s_secret(
    api: Api, posted: list[tuple[Delivery, float]]
) -> None:
    made = subscribe(api, "people.v2.events.email.updated")
    [id] = api.editor.edit("people.emails", attributes={"location": "Barn"})
    api.editor.edit("people.emails", [id], attributes={"location": "Quiet"}, is_quiet=True)
    [(delivery, _)] = posted
    secret = made["attributes"]["authenticity_secret"].encode()
    headers = delivery.headers(delivery.body)
    expected = hmac.new(secret, delivery.body, hashlib.sha256).hexdigest()
    assert headers["X-PCO-Webhooks-Authenticity"] == expected
    assert headers["X-PCO-Webhooks-Event"] == orjson.loads(delivery.body)["data"][0]["id"]
    payload = inner(delivery)
    assert payload["data"]["attributes"]["location"] == "Barn"
    assert payload["data"]["relationships"]["person"]["data"]["id"]
    assert {"event_time", "idempotency_token", "parent"} <= payload["meta"].keys()


def test_a_destroyed_record_is_reported_without_its_attributes_and_its_children_not_at_all(
    api: Api, posted: list[tuple[Delivery, float]]
) -> None:
    for noun in ("person", "email"):
        subscribe(api, f"people.v2.events.{noun}.destroyed")
    gone = api.church.table("people.people").ids[0]
    api.editor.delete("people.people", [gone])
    [(delivery, _)] = posted
    payload = inner(delivery)
    assert (payload["data"]["type"], payload["data"]["id"]) == ("Person", str(gone))
    assert "attributes" not in payload["data"]
    assert payload["meta"].keys() == {"parent"}


def test_a_merge_reports_the_removed_person_the_merger_and_the_moved_records(
    api: Api, posted: list[tuple[Delivery, float]]
) -> None:
    for name in ("person.destroyed", "person_merger.created", "email.updated"):
        subscribe(api, f"people.v2.events.{name}")
    merged = api.editor.merge("people.people")
    told = {(delivery.name.split(".v2.events.")[1], inner(delivery)["data"]["id"]) for delivery, _ in posted}
    assert {("person.destroyed", str(merged["remove"])), ("person_merger.created", str(merged["merger"]))} <= told


def test_failures_are_tried_again_until_the_subscription_is_off(api: Api, posted: list[tuple[Delivery, float]]) -> None:
    made = subscribe(api, "people.v2.events.email.created")
    switchboard = api.center.switchboard
    switchboard.options = Webhooks(retry_seconds=(7, 8), disabled_after=2)
    api.editor.add("people.emails")
    first = posted[0][0]
    switchboard.settle(api.church, first, 500, 0.1)
    again, wait = posted[1]
    assert (again.event_id, again.attempt, wait) == (first.event_id, 2, 7)
    assert api.get(f"{PATH}/{made['id']}")["data"]["attributes"]["active"] is True
    switchboard.settle(api.church, again, 0, 0.1)
    assert len(posted) == 2
    assert api.get(f"{PATH}/{made['id']}")["data"]["attributes"]["active"] is False
    api.editor.add("people.emails")
    assert len(posted) == 2


def test_duplicates_and_forgeries_are_sent_along_and_losses_are_not(
    api: Api, posted: list[tuple[Delivery, float]]
) -> None:
    subscribe(api, "people.v2.events.email.created")
    api.center.switchboard.options = Webhooks(duplicates=1, forged=1, delay_seconds=2, jitter_seconds=1)
    api.editor.add("people.emails")
    genuine, duplicate, forged = (delivery for delivery, _ in posted)
    assert [delivery.kind for delivery, _ in posted] == ["genuine", "duplicate", "forged"]
    assert genuine.event_id == duplicate.event_id != forged.event_id
    assert genuine.headers(b"x") == duplicate.headers(b"x")
    signature = "X-PCO-Webhooks-Authenticity"
    assert genuine.headers(b"x")[signature] != forged.headers(b"x")[signature]
    assert all(2 <= wait <= 3 for _, wait in posted)
    api.center.switchboard.options = Webhooks(lost=1)
    api.editor.add("people.emails")
    assert len(posted) == 3


def test_only_this_machine_is_talked_to(api: Api, posted: list[tuple[Delivery, float]]) -> None:
    subscribe(api, "people.v2.events.email.created")
    sent(api, "POST", PATH, {"name": "people.v2.events.email.created", "url": "http://example.org/hook"})
    api.editor.add("people.emails")
    assert [delivery.is_local for delivery, _ in posted] == [True, False]
