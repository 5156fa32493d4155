"""Whatever is undone in part, the next reconcile makes everything equal to the source again."""

import random

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.results import SyncMode
from openfaith_pipeline.rollback import OnConflict, RollbackOrder, roll_back
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline_tests.chaos.attempt import CHOSEN, attempt
from openfaith_pipeline_tests.chaos.canonical import canonical_differences
from openfaith_pipeline_tests.chaos.changes import Editor
from openfaith_pipeline_tests.integration.sync.church import connect, differences


def _last_syncs(database: Database, org_id: str) -> list[str]:
    with database.connect() as connection:
        found = connection.execute(
            "SELECT sync_id FROM sync.syncs JOIN (SELECT sync_id, max(id) AS last FROM sync.journal WHERE org_id = %s"
            " GROUP BY sync_id) AS changes USING (sync_id) WHERE status = 'succeeded' ORDER BY last DESC LIMIT 3",
            (org_id,),
        ).fetchall()
    return [sync_id for (sync_id,) in found]


@pytest.mark.parametrize("seed", range(2))
def test_a_reconcile_makes_good_what_was_undone_in_part(
    database: Database, simulator: SimulatorClient, seed: int
) -> None:
    [org_id] = connect(database, simulator)
    chance = random.Random(seed)
    editor = Editor(simulator, org_id, chance)
    attempt(database, org_id, SyncMode.INCREMENTAL, "first")
    for turn in range(5):
        for _ in range(12):
            editor.change_once()
        attempt(database, org_id, chance.choice([SyncMode.INCREMENTAL, SyncMode.RECONCILE]), f"sync {turn}")
        for _ in range(chance.randrange(2)):
            order = RollbackOrder(chance.choice(_last_syncs(database, org_id)), on_conflict=OnConflict.KEEP)
            roll_back(database, order)
        attempt(database, org_id, SyncMode.RECONCILE, f"recovery {turn}")
        assert differences(database, simulator, org_id, CHOSEN) == []
        with database.connect() as connection:
            assert canonical_differences(connection, org_id) == []
