"""Records that a repair would mark deleted are requested first: one that is there keeps its stream's entities."""

import asyncio

from openfaith_pipeline.database import Database
from openfaith_pipeline.doctor.repair import STILL_THERE, find_kept
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.integration.doctor.church import Engine
from openfaith_pipeline_tests.integration.sync.church import connect, sync
from openfaith_pipeline_tests.rates import GENEROUS


def test_only_streams_without_a_record_that_is_still_there_lose_entities(database: Database) -> None:
    with running_simulator(made_up_churches(1, people=6), rate_limit=GENEROUS) as simulator:
        [org_id] = connect(database, simulator)
        sync(database, org_id, [STREAMS["people.people"]])
        with database.connect() as connection:
            transform_org(connection, org_id, schema="public", sync_id="transform")
            connection.execute("UPDATE sync.stream_states SET last_full_at = now() WHERE last_succeeded_at IS NOT NULL")
            Engine(connection, org_id).person("99000001")
        assert asyncio.run(find_kept(database, org_id, "pco")) == {}
        with database.connect() as connection:
            connection.execute("DELETE FROM pco_people.people WHERE id = (SELECT min(id) FROM pco_people.people)")
            connection.commit()  # so that the reading below is later than the entity's link
            connection.execute("UPDATE sync.stream_states SET last_full_at = now() WHERE last_succeeded_at IS NOT NULL")
        assert asyncio.run(find_kept(database, org_id, "pco")) == {"people.people": STILL_THERE}
    [(name, reason)] = asyncio.run(find_kept(database, org_id, "pco")).items()
    assert (name, reason.startswith("the source was not reached: ")) == ("people.people", True)
