"""Attributes that need `fields[...]` are synced, and attributes that the source adds are still noticed."""

from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline_tests.integration.sync.church import connect, differences, statuses, stored, sync

ASKED = [stream for stream in STREAMS.values() if stream.only_asked]
ABOVE = [STREAMS[f"registrations.{name}"] for name in ("signups", "people", "registrations")]


def test_attributes_shown_only_on_request_are_there_and_new_ones_are_seen(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id, _] = connect(database, simulator)
    assert statuses(sync(database, org_id, [*ABOVE, *ASKED])) == {}
    assert differences(database, simulator, org_id, ASKED) == []
    for stream in ASKED:
        rows = stored(database, org_id, stream).values()
        assert all(any(row[name] is not None for row in rows) for name in stream.only_asked), stream.name
        simulator.edit(org_id, stream.name, "all", attributes={"shoe_size": 44})

    results = sync(database, org_id, ASKED, SyncMode.RECONCILE)
    assert {name: result.drift for name, result in results.items()} == {each.name: ["new shoe_size"] for each in ASKED}
    assert differences(database, simulator, org_id, ASKED) == []
