"""Every kind of event: unchanged records are not written, and changed ones become equal to the source.

The payloads name no more parents than Planning Center's do; the rows are held against the source's own truth.
`plan.live.updated` is not among them: it is about who leads a plan that is under way, which no stream holds
(`unit/webhooks/test_event_names.NOT_MAPPED`), so nobody subscribes to it.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from openfaith_pipeline.catalog.events import Event
from openfaith_pipeline.catalog.stream import Strategy, Stream
from openfaith_pipeline.database import Database
from openfaith_pipeline.planning_center.event_names import event_named
from openfaith_pipeline.planning_center.extract.single_record import brought_with
from openfaith_pipeline.simulator import SimulatorClient, made_up_churches, running_simulator
from openfaith_pipeline.simulator.events import EVENT_NAMES
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.webhooks.subscriptions import ensure_subscriptions
from openfaith_pipeline_tests.integration.sync.church import connect, differences, row_versions, statuses, sync
from openfaith_pipeline_tests.integration.webhooks.receiver import kept
from openfaith_pipeline_tests.integration.webhooks.test_record_application import apply_all, arrived, carry_out_requests
from openfaith_pipeline_tests.rates import GENEROUS

EVENTS = [event for name in EVENT_NAMES if (event := event_named(name))]
HEARD = list(dict.fromkeys(event.stream for event in EVENTS))
LISTED = [stream for stream in HEARD if stream.strategy is not Strategy.PUSHED]
MERGERS = STREAMS["people.person_mergers"]
TOUCHED = {stream.belongs_to[name] for stream in STREAMS.values() for name in stream.touches}


def _with_kin(streams: list[Stream]) -> list[Stream]:
    """The streams with their parents and the streams included with them, transitively."""
    found = set(streams)
    waiting = list(streams)
    while waiting:
        stream = waiting.pop()
        near = {*(STREAMS[name] for name in stream.parents), *brought_with(stream)} - found
        found |= near
        waiting += near
    return [stream for stream in STREAMS.values() if stream in found]


SYNCED = _with_kin(LISTED)


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=16), rate_limit=GENEROUS) as running:
        yield running


@pytest.fixture
def org(service: Database, simulator: SimulatorClient) -> str:
    """A church synced, and subscribed to all there is."""
    [org_id] = connect(service, simulator)
    assert statuses(sync(service, org_id, SYNCED)) == {}
    assert asyncio.run(ensure_subscriptions(service, org_id, adapter="pco")).problem is None
    return org_id


def applied(service: Database, simulator: SimulatorClient, org_id: str) -> Counter[str]:
    """Wait for all deliveries, apply them, and carry out the syncs requested instead. Returns the outcomes.

    Deliveries about a record that was deleted along with another since are still pending.
    """
    arrived(service, simulator)
    apply_all(service)
    carry_out_requests(service, org_id)
    assert [row["error"] for row in kept(service) if row["status"] == "failed"] == []
    return Counter(row["status"] for row in kept(service))


def ids_of(simulator: SimulatorClient, org_id: str, stream: Stream) -> list[int]:
    return [int(record["id"]) for record in simulator.truth(org_id, stream.name)]


def unlike(service: Database, simulator: SimulatorClient, org_id: str, stream: Stream, ids: list[int]) -> list[str]:
    """Differences of these rows from the source, except an `updated_at` moved by another record's change."""
    starts = tuple(f"{stream.name} {id}{sign}" for id in ids for sign in ":.")
    return [
        each
        for each in differences(service, simulator, org_id, [stream])
        if each.startswith(starts) and not (stream.name in TOUCHED and ".updated_at: " in each)
    ]


def test_events_of_unchanged_records_write_nothing(service: Database, simulator: SimulatorClient, org: str) -> None:
    before = row_versions(service, SYNCED)
    count = 0
    for event in EVENTS:
        if event.stream in LISTED and not event.is_end:
            count += len(simulator.announce(org, event.stream.name, _some(simulator, org, event), event.action))
    assert count > 50
    outcomes = applied(service, simulator, org)
    assert sum(outcomes.values()) == count
    assert set(outcomes) <= {"applied", "superseded"}
    assert row_versions(service, SYNCED) == before
    assert differences(service, simulator, org, SYNCED) == []


def _some(simulator: SimulatorClient, org_id: str, event: Event) -> list[int]:
    return ids_of(simulator, org_id, event.stream)[:2]


def test_records_of_events_are_as_at_the_source(service: Database, simulator: SimulatorClient, org: str) -> None:
    ended = {event.stream: ids_of(simulator, org, event.stream)[-1:] for event in EVENTS if event.is_end}
    for stream, ids in ended.items():
        simulator.delete(org, stream.name, ids)
    applied(service, simulator, org)
    changed: dict[Stream, list[int]] = {}
    for event in EVENTS:
        if event.action == "created" and event.stream is MERGERS:  # by a merge alone
            merged = simulator.merge(org, "people.people")
            changed[MERGERS] = [merged["merger"]]
            ended[STREAMS["people.people"]].append(merged["remove"])
        elif event.action == "created":
            changed.setdefault(event.stream, []).extend(simulator.add(org, event.stream.name))
        elif event.action == "updated":
            changed.setdefault(event.stream, []).extend(simulator.edit(org, event.stream.name))
    applied(service, simulator, org)
    found = [each for stream, ids in ended.items() for each in unlike(service, simulator, org, stream, ids)]
    found += [each for stream, ids in changed.items() for each in unlike(service, simulator, org, stream, ids)]
    assert found == []
