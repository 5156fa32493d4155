"""One attempt at a sync, as a process that can be killed.

It does what Dagster's op does without the seconds that Dagster takes to start. The command line is killed by
`rounds.py` too, and Dagster's own processes by acceptance/dagster.
"""

from typing import Final

from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.integration.sync.church import statuses, sync

NAMES: Final = (
    "people.campuses",
    "people.people",
    "people.emails",
    "people.phone_numbers",
    "people.addresses",
    "people.households",
    "people.household_memberships",
    "people.field_definitions",
    "people.field_data",
    "people.person_mergers",
)
"""Every way of reading there is: windows, newest first, whole lists, children of each parent, only what is added."""

CHOSEN: Final = tuple(STREAMS[name] for name in NAMES)


def attempt(database: Database, org_id: str, mode: SyncMode, sync_id: str) -> dict[str, str | None]:
    """Sync the church's people and transform them. Returns the streams that did not succeed, with the reason."""
    results = sync(database, org_id, CHOSEN, mode=mode, sync_id=sync_id)
    with database.connect() as connection:
        transform_org(connection, org_id, schema=database.settings.canonical_schema, sync_id=sync_id)
    return statuses(results)


def run(org_id: str, mode: str, sync_id: str) -> None:
    """The attempt, for a process of its own."""
    with open_database(load_settings()) as database:
        attempt(database, org_id, SyncMode(mode), sync_id)
