"""After a large publish the planner knows the tables, and after a small one nothing is done."""

from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.integration.sync.church import connect, statuses, sync

ANSWERS, EMAILS = STREAMS["people.field_data"], STREAMS["people.emails"]


def _known_rows(database: Database, table: str) -> float:
    """The planner's estimate; -1 before the first ANALYZE or VACUUM."""
    with database.connect() as connection:
        row = connection.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", (table,)).fetchone()
    return row[0] if row else -1


def test_a_large_publish_is_known_at_once_and_a_small_one_costs_nothing(database: Database) -> None:
    with running_simulator(made_up_churches(1, people=600)) as simulator:
        [org_id] = connect(database, simulator)
        results = sync(database, org_id, [ANSWERS, EMAILS])
    assert statuses(results) == {}
    assert results["people.field_data"].inserted >= 1000 > results["people.emails"].inserted
    assert _known_rows(database, "pco_people.field_data") == results["people.field_data"].inserted
    assert _known_rows(database, "staging.people__field_data") == 0
    assert _known_rows(database, "pco_people.emails") == -1
