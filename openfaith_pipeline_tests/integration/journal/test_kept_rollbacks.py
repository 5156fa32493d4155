"""After a rollback in part, or one with later changes, a reconcile makes everything equal to the source again."""

import random

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.sync.rollback import OnConflict, RollbackOrder, roll_back
from openfaith_pipeline_tests.chaos.attempt import CHOSEN, attempt
from openfaith_pipeline_tests.chaos.canonical import canonical_differences
from openfaith_pipeline_tests.chaos.changes import Editor
from openfaith_pipeline_tests.chaos.rounds import last_syncs
from openfaith_pipeline_tests.integration.sync.church import connect, differences


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("on_conflict", [OnConflict.KEEP, OnConflict.OVERWRITE])
def test_a_reconcile_repairs_a_partial_undo(
    database: Database,
    simulator: SimulatorClient,
    monkeypatch: pytest.MonkeyPatch,
    on_conflict: OnConflict,
    seed: int,
) -> None:
    """With one of the seeds every rollback counts as large."""
    monkeypatch.setattr("openfaith_pipeline.sync.rollback.LARGEST", 0 if seed else 1_000)
    [org_id] = connect(database, simulator)
    chance = random.Random(seed)
    editor = Editor(simulator, org_id, chance)
    attempt(database, org_id, SyncMode.INCREMENTAL, "first")
    for turn in range(5):
        for _ in range(12):
            editor.change_once()
        attempt(database, org_id, chance.choice([SyncMode.INCREMENTAL, SyncMode.RECONCILE]), f"sync {turn}")
        for _ in range(chance.randrange(2)):
            undone = chance.choice(last_syncs(database, org_id))
            roll_back(database, RollbackOrder(undone, on_conflict=on_conflict))
        attempt(database, org_id, SyncMode.RECONCILE, f"recovery {turn}")
        assert differences(database, simulator, org_id, CHOSEN) == []
        with database.connect() as connection:
            assert canonical_differences(connection, org_id) == []


def test_a_person_edited_by_hand_stays_the_same_person(database: Database, simulator: SimulatorClient) -> None:
    [org_id] = connect(database, simulator)
    attempt(database, org_id, SyncMode.INCREMENTAL, "first")
    with database.connect() as connection:
        [(edited,)] = connection.execute(
            """UPDATE openfaith_people SET tags = '["choir"]' WHERE id = (SELECT min(id) FROM openfaith_people)"""
            " RETURNING id"
        ).fetchall()
    roll_back(database, RollbackOrder("first", on_conflict=OnConflict.KEEP))
    attempt(database, org_id, SyncMode.INCREMENTAL, "second")
    with database.connect() as connection:
        [(tags, deleted_at, records)] = connection.execute(
            'SELECT tags, "deletedAt", (SELECT count(*) FROM "openfaith_externalLinks" WHERE "entityId" = person.id)'
            " FROM openfaith_people AS person WHERE id = %s",
            (edited,),
        ).fetchall()
        [(people,)] = connection.execute('SELECT count(*) FROM openfaith_people WHERE "deletedAt" IS NULL').fetchall()
    assert (tags, deleted_at, records) == (["choir"], None, 1)
    assert people == len(simulator.truth(org_id, "people.people"))
