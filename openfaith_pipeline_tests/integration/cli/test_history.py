"""`history` and `rollback` as a user runs them: output, exit codes, and events in Dagster."""

import dagster as dg
import psycopg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.instance import open_instance
from openfaith_pipeline.simulator import SimulatorClient
from openfaith_pipeline_tests.verbs import Verbs

pytestmark = pytest.mark.slow

STREAMS = ("--stream", "people.campuses", "--stream", "people.emails", "--json")


def test_a_records_life_and_its_undoing(
    verb: Verbs, connected: str, simulator: SimulatorClient, database: Database
) -> None:
    first = verb("sync", connected, *STREAMS).document["sync_id"]
    email = simulator.truth(connected, "people.emails")[0]["id"]
    simulator.edit(connected, "people.emails", ids=[int(email)])
    second = verb("sync", connected, *STREAMS).document["sync_id"]

    life = verb("history", connected, "people.emails", email, "--json")
    assert life.code == 0, life.err
    assert [(change["action"], change["sync_id"]) for change in life.document] == [
        ("insert", first),
        ("update", second),
    ]
    assert life.document[1]["before"].keys() == life.document[1]["after"].keys()
    assert second in verb("history", connected, "externalLinks", "pco", "email", email, COLUMNS="400").out

    refused = verb("rollback", first, "--json")
    assert refused.code == 1
    assert {"org_id": connected, "table": "pco_people.emails", "key": {"id": email}} in [
        {name: conflict[name] for name in ("org_id", "table", "key")}
        for conflict in refused.document["error"]["conflicts"]
    ]
    assert email in refused.err

    foreseen = verb("rollback", second[:13], "--org", connected, "--dry-run", "--json")
    assert foreseen.code == 0, foreseen.err
    assert verb("rollback", second, "--json").code == 2  # nobody is there to say yes
    undone = verb("rollback", second, "--yes", "--json")
    assert undone.code == 0, undone.err
    assert undone.document["orgs"][connected]["tables"]["pco_people.emails"]["restored"] == 1
    assert foreseen.document["orgs"] == undone.document["orgs"]
    with open_instance(database.settings, database) as instance:
        [*_, event] = instance.fetch_observations(dg.AssetKey(["pco_people", "emails"]), limit=5).records
        observation = event.event_log_entry.dagster_event.event_specific_data.asset_observation
        assert (observation.partition, observation.metadata["rolled_back_sync_id"].value) == (connected, second)


def test_an_unknown_name_is_reported(verb: Verbs, connected: str, database: Database) -> None:
    for arguments, code, message in (
        (("history", connected, "people.emails", "1"), 1, "the journal has no 1 in"),
        (("history", connected, "people.email", "1"), 2, "no stream or table 'people.email'"),
        (("rollback", "nonsense"), 2, "no sync 'nonsense'"),
    ):
        told = verb(*arguments)
        assert (told.code, told.out, message in told.err) == (code, "", True), told.err
    with psycopg.connect(database.url) as connection:
        assert connection.execute("SELECT FROM sync.syncs").fetchall() == []
