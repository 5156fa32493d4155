"""A church whose syncs end in its OpenFaith tables, and changes of every kind to it."""

from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.integration.sync.church import statuses, sync

# Events have a to-many relationship, and so a table of links.
STREAMS_READ = tuple(STREAMS[name] for name in ("people.campuses", "people.people", "people.emails", "calendar.events"))
SCHEMA = "public"


def synced(database: Database, org_id: str, sync_id: str, mode: SyncMode = SyncMode.RECONCILE) -> None:
    """Sync, and transform on its behalf."""
    assert statuses(sync(database, org_id, STREAMS_READ, mode, sync_id=sync_id)) == {}
    transformed(database, org_id, sync_id)


def transformed(database: Database, org_id: str, sync_id: str) -> None:
    with database.connect() as connection:
        transform_org(connection, org_id, schema=SCHEMA, sync_id=sync_id)


def add_tagged_events(simulator: SimulatorClient, org_id: str) -> None:
    """Two of them: small churches may have none."""
    simulator.add(org_id, "calendar.events", count=2, relations={"tags": _tags(simulator, org_id)[:3]})


def change_the_source(simulator: SimulatorClient, org_id: str) -> None:
    """Edits, new records, emails that are gone, an event that is gone with its links, and one with other links."""
    for stream in ("people.people", "people.emails", "calendar.events"):
        simulator.edit(org_id, stream, count=5)
        simulator.add(org_id, stream, count=2)
    emails = [int(record["id"]) for record in simulator.truth(org_id, "people.emails")]
    simulator.delete(org_id, "people.emails", emails[:3])
    tags = _tags(simulator, org_id)
    [gone, changed] = [
        int(event["id"])
        for event in simulator.truth(org_id, "calendar.events")
        if [int(tag["id"]) for tag in event["relationships"]["tags"]["data"]] == tags[:3]
    ]
    simulator.delete(org_id, "calendar.events", [gone])
    simulator.edit(org_id, "calendar.events", [changed], relations={"tags": [tags[2], tags[3], tags[0]]})


def _tags(simulator: SimulatorClient, org_id: str) -> list[int]:
    return [int(tag["id"]) for tag in simulator.truth(org_id, "calendar.tags")]
