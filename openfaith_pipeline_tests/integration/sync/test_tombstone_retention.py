"""Rows of deleted records are kept for ever, or as the settings say once the journal has forgotten their deletion."""

from dataclasses import replace
from datetime import timedelta

import pytest
from psycopg import sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.doctor.examination import find_dead_ends
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.maintenance import maintain
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.sync.rollback import RollbackOrder, roll_back
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.integration.sync.church import connect, stored, sync

PEOPLE, EMAILS = STREAMS["people.people"], STREAMS["people.emails"]
DELETION = "the deletion"


def transform(database: Database, org_id: str) -> bool:
    """Compare everything; whether anything was written."""
    with database.connect() as connection:
        done = transform_org(connection, org_id, schema="public", sync_id="made", is_full=True)
    return any(result.is_changed for result in done.values())


def living_rows(database: Database, *org_ids: str) -> list[object]:
    return [stored(database, org_id, stream) for org_id in org_ids for stream in (PEOPLE, EMAILS)]


def marked(database: Database, org_id: str) -> int:
    """How many rows are there that are marked deleted."""
    with database.connect() as connection:
        counts = [
            connection.execute(
                sql.SQL("SELECT count(*) FROM {} WHERE org_id = %s AND _deleted_at IS NOT NULL").format(
                    raw_name(stream)
                ),
                (org_id,),
            ).fetchone()
            for stream in (PEOPLE, EMAILS)
        ]
    return sum(count[0] for count in counts if count)


def let_pass(database: Database, *, journal: timedelta) -> None:
    """Let the deletion be 500 days ago, and the journal reach back so far."""
    with database.connect() as connection:
        for stream in (PEOPLE, EMAILS):
            aged = sql.SQL("UPDATE {} SET _deleted_at = now() - interval '500 days' WHERE _deleted_at IS NOT NULL")
            connection.execute(aged.format(raw_name(stream)))
        connection.execute("UPDATE sync.syncs SET started_at = now() - interval '500 days'")
        connection.execute("UPDATE sync.journal_horizon SET begins_at = now() - %s", (journal,))
        connection.execute("DELETE FROM sync.journal WHERE now() - interval '500 days' < now() - %s", (journal,))


def test_they_go_once_nothing_can_bring_them_back(database: Database, simulator: SimulatorClient) -> None:
    org_id, other = connect(database, simulator)[:2]
    for each in (org_id, other):
        sync(database, each, [PEOPLE, EMAILS])
    leaving = next(row["person_id"] for row in stored(database, org_id, EMAILS).values())
    simulator.delete(org_id, "people.people", [int(leaving)])
    sync(database, org_id, [PEOPLE, EMAILS], SyncMode.RECONCILE, DELETION)
    transform(database, org_id)
    living = living_rows(database, org_id, other)
    settings = database.settings.model_copy(update={"deleted_days": 450, "journal_days": 36500})
    gone, limited = marked(database, org_id), replace(database, settings=settings)
    assert gone > 1

    let_pass(database, journal=timedelta(days=501))
    assert maintain(limited).tombstones_removed == 0, "a rollback may still bring them back"
    let_pass(database, journal=timedelta(days=400))
    assert maintain(database).tombstones_removed == 0, "by default they are kept for ever"
    assert maintain(limited).tombstones_removed == gone
    assert (marked(database, org_id), maintain(limited).tombstones_removed) == (0, 0)
    assert living_rows(database, org_id, other) == living

    assert not transform(database, org_id)
    assert list(find_dead_ends(database, org_id)) == []
    with pytest.raises(UsageError, match=r"is past: the journal of .* begins at"):
        roll_back(database, RollbackOrder(DELETION))
