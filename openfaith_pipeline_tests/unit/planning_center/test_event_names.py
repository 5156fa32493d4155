"""Event names against the declarations and, where it is there, the public reference."""

from collections.abc import Iterator, Mapping

import pytest

from openfaith_pipeline.planning_center.event_names import event_named
from openfaith_pipeline.simulator.events import EVENT_NAMES, described
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.unit.planning_center.streams.reference import read_facts

# Of types that are not synced.
NOT_MAPPED = {
    "groups.v2.events.group_attendance.created",
    "services.v2.events.plan.live.updated",
}
# Of types that the reference lacks.
_ADDED_TYPES = {"event_request": "EventRequest"}


def documented() -> Iterator[Mapping[str, str]]:
    yield from read_facts()["webhooks"]["events"]


def test_every_documented_event_is_about_the_stream_of_its_type() -> None:
    unmapped = set()
    for fact in documented():
        event = event_named(fact["name"])
        if event is None:
            unmapped.add(fact["name"])
            continue
        named = fact["type"] or _ADDED_TYPES[fact["resource"]]
        assert (event.stream.product.value, event.stream.type) == (fact["product"].replace("-", "_"), named)
        assert event.action == fact["action"]

    assert unmapped == NOT_MAPPED


@pytest.mark.parametrize(
    ("name", "stream", "action"),
    [
        ("people.v2.events.email.created", "people.emails", "created"),
        ("people.v2.events.list.refreshed", "people.lists", "refreshed"),
        ("groups.church_center.v2.events.group_application.destroyed", "groups.group_applications", "destroyed"),
        ("services.v2.events.plan_item.updated", "services.items", "updated"),
        ("services.v2.events.plan.updated", "services.plans", "updated"),
        ("calendar.v2.events.event_request.approved", "calendar.event_requests", "approved"),
    ],
)
def test_names_lead_to_streams(name: str, stream: str, action: str) -> None:
    assert event_named(name) == (STREAMS[stream], action)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "people.v2.events.email",
        "people.v2.events.Email.created",
        "people.v3.events.email.created",
        "people.v2.events.email.created.twice",
        "people.v2.events.email.created\n",
        "payroll.v2.events.email.created",
    ],
)
def test_other_names_lead_nowhere(name: str) -> None:
    assert event_named(name) is None


def test_the_simulator_offers_events_that_were_listed_or_seen_and_no_others() -> None:
    confidence = {fact["name"]: fact["confidence"] for fact in documented()}

    assert set(EVENT_NAMES) <= confidence.keys()
    assert {name for name, how in confidence.items() if how != "unverified"} <= set(EVENT_NAMES)


def test_an_offered_event_is_described_by_the_parts_of_its_name() -> None:
    assert described("groups.church_center.v2.events.group_application.created") == {
        "name": "groups.church_center.v2.events.group_application.created",
        "app": "groups",
        "version": "v2",
        "type": "group_application",
        "resource": "group_application",
        "action": "created",
    }
