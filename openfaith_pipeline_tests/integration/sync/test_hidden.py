"""Records that listings omit by default are synced: archived groups with everything below them, deleted fields."""

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator import Script
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline_tests.integration.sync.church import connect, differences, statuses, stored, sync

GROUPS = STREAMS["groups.groups"]
OF_GROUPS = [STREAMS[f"groups.{name}"] for name in ("groups", "memberships", "events", "group_applications")]
# Stream -> the attribute that is set on records omitted from its listing.
HIDDEN = {
    "groups.groups": "archived_at",
    "people.field_definitions": "deleted_at",
    "people.forms": "archived_at",
    "services.songs": "hidden",
}


def test_archived_and_deleted_records_are_there_with_all_below_them(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id, _] = connect(database, simulator)
    streams = [*OF_GROUPS, *(STREAMS[name] for name in HIDDEN if name != GROUPS.name)]
    assert statuses(sync(database, org_id, streams)) == {}
    assert differences(database, simulator, org_id, streams) == []
    for name, attribute in HIDDEN.items():
        kept = [row[attribute] for row in stored(database, org_id, STREAMS[name]).values()]
        assert any(kept) and not all(kept), name
    archived = {id for id, row in stored(database, org_id, GROUPS).items() if row["archived_at"]}
    assert archived & {row["group_id"] for row in stored(database, org_id, STREAMS["groups.memberships"]).values()}
    assert archived & {row["group_id"] for row in stored(database, org_id, STREAMS["groups.events"]).values()}


def test_a_group_that_is_archived_stays(database: Database, simulator: SimulatorClient) -> None:
    [org_id, _] = connect(database, simulator)
    sync(database, org_id, OF_GROUPS)
    group = next(id for id, row in stored(database, org_id, GROUPS).items() if not row["archived_at"])
    simulator.edit(org_id, GROUPS.name, [int(group)], attributes={"archived_at": "2026-03-01T00:00:00Z"})
    results = sync(database, org_id, OF_GROUPS, SyncMode.RECONCILE)
    assert statuses(results) == {}
    assert {result.deleted for result in results.values()} == {0}
    assert differences(database, simulator, org_id, OF_GROUPS) == []


@pytest.mark.parametrize("refusal", ["forbidden", "bad_request"])
def test_where_the_archived_are_refused_the_others_are_read_and_nothing_is_taken_for_deleted(
    database: Database, simulator: SimulatorClient, refusal: str
) -> None:
    [org_id, _] = connect(database, simulator)
    sync(database, org_id, [GROUPS])
    before = stored(database, org_id, GROUPS)
    simulator.add(org_id, GROUPS.name, attributes={"archived_at": None})
    simulator.delete(org_id, GROUPS.name, [int(next(iter(before)))])
    simulator.script(Script(answer=refusal, org=org_id, stream=GROUPS.name))
    result = sync(database, org_id, [GROUPS], SyncMode.RECONCILE)[GROUPS.name]
    assert (result.status, result.inserted, result.deleted) == ("withheld", 1, 0)
    assert result.error and "leaves out are not shown" in result.error
    assert before.keys() <= stored(database, org_id, GROUPS).keys()
    result = sync(database, org_id, [GROUPS], SyncMode.RECONCILE)[GROUPS.name]
    assert (result.status, result.deleted) == ("succeeded", 1)
    assert differences(database, simulator, org_id, [GROUPS]) == []
