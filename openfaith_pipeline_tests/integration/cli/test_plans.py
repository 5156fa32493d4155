"""`sync --plan`, `--apply` and `quarantine`, as a person calls them."""

import pytest
from psycopg.types.json import Jsonb

from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator import SimulatorClient
from openfaith_pipeline_tests.verbs import Verbs

pytestmark = pytest.mark.slow

TABS = ("--stream", "people.tabs")


def test_a_plan_is_shown_then_applied_once(verb: Verbs, connected: str, simulator: SimulatorClient) -> None:
    there = len(simulator.truth(connected, "people.tabs"))
    planned = verb("sync", connected, *TABS, "--plan")
    assert planned.code == 0, planned.err
    sync_id = planned.out.split()[-1]
    assert f"sync --apply {sync_id}" in planned.err
    assert f"{there}" in planned.out

    requests = simulator.stats()["requests"]
    applied = verb("sync", "--apply", sync_id, "--json")
    assert applied.code == 0, applied.err
    result = applied.document["orgs"][connected]["streams"]["people.tabs"]
    assert (result["status"], result["inserted"], result["requests"]) == ("succeeded", there, 0)
    assert simulator.stats()["requests"] == requests
    again = verb("sync", "--apply", sync_id)
    assert (again.code, again.out, "was applied" in again.err) == (2, "", True)


def test_quarantined_records_are_listed_without_their_values(verb: Verbs, connected: str, database: Database) -> None:
    record = {"type": "Tab", "id": "7", "attributes": {"sequence": "secret text"}}
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.quarantine (org_id, stream, sync_id, page, record_id, field, reason, record)"
            " VALUES (%s, 'people.tabs', 'sync', 3, '7', 'sequence', 'is a text', %s)",
            (connected, Jsonb(record)),
        )
    listed = verb("quarantine", "list", connected)
    assert (listed.code, "sequence" in listed.out, "is a text" in listed.out) == (0, True, True)
    assert "secret text" not in listed.out + listed.err

    replayed = verb("quarantine", "replay", connected, "--json")
    assert (replayed.code, replayed.document["streams"][0]["left"]) == (1, 1)
    assert f"quarantine list {connected} --stream people.tabs" in replayed.err
    [entry] = verb("quarantine", "list", "--show-records", "--json").document
    assert (entry["record"], entry["reason"]) == (
        record,
        "is a text of 11 characters, not a whole number of at most 64 bits",
    )
