"""Empty answers of products that hide forbidden records count as withheld: rows stay and nothing fails."""

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.load.stream_states import last_proofs
from openfaith_pipeline.load.sync_log import has_failing_streams
from openfaith_pipeline.orgs.status import read_status
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.options import Traps
from openfaith_pipeline.sources import STREAMS, streams_of
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline_tests.integration.sync.church import (
    connect,
    differences,
    row_versions,
    statuses,
    stored,
    sync,
)

GROUPS = streams_of(Product.GROUPS)
SILENT = Traps(silent_products=("groups",))


@pytest.mark.parametrize("mode", [SyncMode.INCREMENTAL, SyncMode.RECONCILE])
def test_silence_is_withheld_keeps_the_rows_and_is_requested_again(
    database: Database, simulator: SimulatorClient, mode: SyncMode
) -> None:
    org_id = connect(database, simulator)[0]
    sync(database, org_id, GROUPS)
    before = row_versions(database, GROUPS)
    filled = {stream.name for stream in GROUPS if stored(database, org_id, stream)} - {"groups.organization"}
    simulator.set_traps(org_id, SILENT)

    results = sync(database, org_id, GROUPS, mode)

    assert {name for name, result in results.items() if result.status == "withheld"} == filled
    assert {result.status for name, result in results.items() if name not in filled} == {"succeeded"}
    reason = results["groups.memberships"].error
    assert reason is not None and "may not be read" in reason
    assert row_versions(database, GROUPS) == before
    [status] = [each for each in read_status(database, adapter="pco") if each.org.org_id == org_id]
    told = {stream.stream: (stream.status, stream.availability) for stream in status.streams}
    assert told["groups.memberships"] == ("withheld", "withheld")
    assert (status.failing, status.health.state) == ((), "degraded")
    with database.connect() as connection:
        assert not has_failing_streams(connection, org_id, "pco")
        # A rolling reconcile need not request the silent one again each night.
        assert last_proofs(connection, org_id)["groups.memberships"] > status.streams[0].started_at

    simulator.set_traps(org_id, Traps())
    assert statuses(sync(database, org_id, GROUPS, mode)) == {}
    [status] = [each for each in read_status(database, adapter="pco") if each.org.org_id == org_id]
    assert status.health.state == "connected"
    assert differences(database, simulator, org_id, GROUPS) == []


def test_a_stream_that_is_silent_holds_up_nothing_that_is_read_with_it(
    database: Database, simulator: SimulatorClient
) -> None:
    org_id = connect(database, simulator)[0]
    together = [STREAMS[f"groups.{name}"] for name in ("groups", "enrollments", "locations", "events")]
    sync(database, org_id, together)
    groups, enrollments = list(stored(database, org_id, together[0])), stored(database, org_id, together[1])
    for identifier in simulator.truth(org_id, "groups.enrollments"):
        simulator.delete(org_id, "groups.enrollments", [int(identifier["id"])])
    simulator.delete(org_id, "groups.groups", [int(groups[0])])

    results = sync(database, org_id, together, SyncMode.RECONCILE)

    assert (results["groups.groups"].status, results["groups.groups"].deleted) == ("succeeded", 1)
    assert results["groups.enrollments"].status == "withheld"
    left = {identifier for identifier, row in enrollments.items() if row["group_id"] != groups[0]}
    assert stored(database, org_id, together[1]).keys() == left
    assert stored(database, org_id, together[0]).keys() == set(groups[1:])


def test_a_stream_below_a_withheld_parent_is_withheld_with_it_and_not_late(
    database: Database, simulator: SimulatorClient
) -> None:
    streams = [STREAMS["giving.people"], STREAMS["giving.payment_methods"]]
    org_id = connect(database, simulator)[0]
    sync(database, org_id, streams)

    def availabilities() -> list[str]:
        [status] = [each for each in read_status(database, adapter="pco") if each.org.org_id == org_id]
        return [stream.availability for stream in status.streams if stream.row_count is not None]

    simulator.grant(org_id, [product.value for product in Product if product is not Product.GIVING])
    try:
        sync(database, org_id, streams)
        assert availabilities() == ["not_granted", "not_granted"]
    finally:
        simulator.grant(org_id, [product.value for product in Product])
    assert statuses(sync(database, org_id, streams)) == {}
    assert availabilities() == ["available", "available"]
