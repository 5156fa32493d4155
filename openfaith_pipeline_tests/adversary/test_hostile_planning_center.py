"""A Planning Center that means harm: each thing it sends costs that thing only, and another church nothing."""

import resource
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from psycopg import sql
from psycopg.rows import dict_row

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.faults import Script
from openfaith_pipeline.simulator.hostility import LED_AWAY
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.integration.sync.church import IMPATIENT, connect, differences, stored
from openfaith_pipeline_tests.integration.sync.church import sync as sync_with
from openfaith_pipeline_tests.rates import GENEROUS

sync = partial(sync_with, client_factory=IMPATIENT)

EMAILS = STREAMS["people.emails"]
BY_ANSWER = {
    "redirect": "people.campuses",
    "object_for_list": "people.name_prefixes",
    "wrong_type": "people.name_suffixes",
    "bomb": "people.marital_statuses",
    "endless": "people.inactive_reasons",
    "foreign_next": "people.school_options",
    "foreign_included": "people.households",
}
FAILING = {"redirect", "object_for_list", "bomb", "endless"}
OTHERS = [STREAMS[name] for name in BY_ANSWER.values()]
SYNCED = [STREAMS["people.people"], EMAILS, *OTHERS]
FAR_OFF = "2099-01-01T00:00:00Z"

ODD_IDS = {"long": "7" * 3200, "nul": "7\x00", "control": "7\x1b[2J", "empty": "", "number": 7, "path": "../people/1"}
ODD_ATTRIBUTES: dict[str, dict[str, Any]] = {
    "nul in a text": {"address": "a\x00@example.org"},
    "half a pair": {"address": "@half a pair"},
    "huge": {"address": "@huge"},
    "exponent": {"unheard_of": "@exponent"},
    "deep": {"unheard_of": "@deep"},
    "ours": {"_deleted_at": FAR_OFF, "org_id": "org_other", "id": "1", "_extra": {}, "org_id; DROP TABLE x": 1},
    "future": {"created_at": FAR_OFF, "updated_at": FAR_OFF},
    "no moment": {"updated_at": "9999-12-31T23:59:59-14:00"},
}
ODD = {name: str(number) for number, name in enumerate(ODD_ATTRIBUTES, start=900_000)}
FOREIGN_CHILD = "910000"
MEGABYTES = 400
"""The simulator's bomb alone has 128, and its endless body as many as are taken."""


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(2, people=12), rate_limit=GENEROUS) as running:
        yield running


def infest(simulator: SimulatorClient, org_id: str) -> None:
    """Have the church's e-mail addresses hold every odd record, and each other stream answer in an odd way."""
    template = simulator.truth(org_id, EMAILS.name)[0]
    kind = {name: template[name] for name in ("type", "attributes")}
    parent = {"person": {"data": {"type": "Person", "id": "666"}}}  # of no person of this church
    for id in ODD_IDS.values():
        simulator.inject(org_id, EMAILS.name, {**kind, "id": id, "relationships": template["relationships"]})
    for name, id in ODD.items():
        odd = {**kind, "id": id, "attributes": {**kind["attributes"], **ODD_ATTRIBUTES[name]}}
        simulator.inject(org_id, EMAILS.name, {**odd, "relationships": template["relationships"]}, int(id))
    foreign = {**kind, "id": FOREIGN_CHILD, "relationships": parent}
    simulator.inject(org_id, EMAILS.name, foreign, int(FOREIGN_CHILD))
    simulator.script(Script("unreadable", org=org_id, stream=EMAILS.name, times=None))
    simulator.script(Script("unreadable", org=org_id, stream="people.people", times=None))
    for answer, stream in BY_ANSWER.items():
        simulator.script(Script(answer, org=org_id, stream=stream, times=None))


def rows_of(database: Database, org_id: str) -> dict[str, list[Any]]:
    """Every row of the org with all of its columns, and where it lies."""
    found = {}
    with database.connect(row_factory=dict_row) as connection:
        for stream in SYNCED:
            table = raw_name(stream)
            query = sql.SQL("SELECT *, ctid::text, xmin::text FROM {} WHERE org_id = %s ORDER BY id").format(table)
            found[stream.name] = connection.execute(query, (org_id,)).fetchall()
    return found


def quarantined(database: Database, org_id: str) -> list[tuple[str | None, str | None]]:
    """Of the e-mail addresses that wait: the record's id, and the field at fault or None."""
    query = "SELECT record_id, field FROM sync.quarantine WHERE org_id = %s AND stream = %s AND resolved_at IS NULL"
    with database.connect() as connection:
        return connection.execute(query, (org_id, EMAILS.name)).fetchall()


def test_each_hostile_thing_costs_itself_only(database: Database, simulator: SimulatorClient) -> None:
    hostile, peaceful = connect(database, simulator)
    assert {result.status for result in sync(database, peaceful, SYNCED).values()} == {"succeeded"}
    before, at_first = rows_of(database, peaceful), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    infest(simulator, hostile)

    results = sync(database, hostile, SYNCED)

    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - at_first) // 1024 < MEGABYTES
    assert not [each for each in simulator.requests() if LED_AWAY in each["target"]]
    assert {name for name, result in results.items() if result.status == "failed"} == {
        BY_ANSWER[answer] for answer in FAILING
    }
    whole = [stream for stream in SYNCED if results[stream.name].status == "succeeded"]
    assert len(whole) == len(SYNCED) - len(FAILING) - 1
    assert differences(database, simulator, hostile, whole) == []

    # Of the e-mail addresses one record cannot be read at all, and is named; the others are here, or kept as they came.
    assert results[EMAILS.name].status == "incomplete"
    assert "record 12 of its listing" in str(results[EMAILS.name].error)
    here, kept = stored(database, hostile, EMAILS), quarantined(database, hostile)
    assert sum(field is None for _, field in kept) == len(ODD_IDS) - 1  # an id that looks like a path is but a text
    assert {id for id, field in kept if field} >= {ODD["half a pair"], ODD["no moment"]}
    assert ODD["deep"] not in here
    assert here.keys() >= {*ODD.values(), FOREIGN_CHILD, ODD_IDS["path"]} - {ODD["deep"]}
    assert here[ODD["ours"]]["_extra"] == ODD_ATTRIBUTES["ours"]
    assert here[ODD["huge"]]["address"] == "9" * 5_000
    assert rows_of(database, peaceful) == before

    # None of it hinders later syncs: neither a time in the future nor an earlier answer.
    simulator.clear_scripts()
    [edited] = simulator.edit(hostile, EMAILS.name, [int(sorted(set(here) - {*ODD.values()}, key=len)[0])])
    assert {result.status for result in sync(database, hostile, SYNCED).values()} == {"succeeded"}
    assert differences(database, simulator, hostile, [stream for stream in SYNCED if stream is not EMAILS]) == []
    unequal = " ".join(differences(database, simulator, hostile, [EMAILS]))
    assert f"{EMAILS.name} {edited}" not in unequal
    assert rows_of(database, peaceful) == before
