"""The tables of to-many relationships, as a record's links come, change places and go."""

from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.integration.replay import replay_differences
from openfaith_pipeline_tests.integration.sync.church import connect, statuses, sync

DONATIONS = STREAMS["giving.donations"]


def test_links_follow_the_record_that_names_them(database: Database, simulator: SimulatorClient) -> None:
    [org_id, _] = connect(database, simulator)
    [donation] = simulator.add(org_id, "giving.donations", relations={"labels": [1, 2, 3]})
    for number, labels in enumerate(([1, 2, 3], [3, 1, 4], [])):
        if number:
            simulator.edit(org_id, "giving.donations", [donation], relations={"labels": labels})
        assert statuses(sync(database, org_id, [DONATIONS], sync_id=f"sync_{number}")) == {}
        assert links_of(database, org_id, donation) == [str(label) for label in labels]
    with database.connect() as connection:
        assert replay_differences(connection, org_id) == []


def links_of(database: Database, org_id: str, donation: int) -> list[str]:
    with database.connect() as connection:
        rows = connection.execute(
            "SELECT related_id FROM pco_giving.donations_labels WHERE org_id = %s AND id = %s ORDER BY position",
            (org_id, str(donation)),
        ).fetchall()
    return [related_id for (related_id,) in rows]
