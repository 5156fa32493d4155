"""Killed at any moment while conflicts of every policy are open, a sync ends as one that nobody killed."""

import json
import os
import re
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Final, NoReturn
from unittest.mock import patch

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.load import publishing
from openfaith_pipeline.planning_center import PersonalAccessToken
from openfaith_pipeline.review.conflict_policies import ANY, FieldPolicy, Policy, set_policy
from openfaith_pipeline.settings import environment_with, load_settings
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.sync.rollback import RollbackOrder, roll_back
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.forking import fork
from openfaith_pipeline_tests.integration.sync.church import statuses, sync
from openfaith_pipeline_tests.rates import GENEROUS

pytestmark = pytest.mark.slow

READ = (STREAMS["people.people"], STREAMS["people.emails"])
POLICIES: Final[Mapping[tuple[str, str], Policy]] = {
    ("people", "firstName"): Policy.ASK,
    ("people", "lastName"): Policy.LOCAL,
    ("people", "membership"): Policy.NEWEST,
    ("people", "middleName"): Policy.SOURCE,
    ("emails", ANY): Policy.ASK,
}
COLUMNS: Final = {
    "firstName": "first_name",
    "lastName": "last_name",
    "membership": "membership",
    "middleName": "middle_name",
}
TIMES: Final = frozenset(
    [
        "_synced_at",
        "_first_seen_at",
        "lastProcessedAt",
        "edited_at",
        "since",
        "decided_at",
        "decided_by",
        "createdAt",
        "updatedAt",
        "createdBy",
        "sync_id",
        "_sync_id",
        "org_id",
        "orgId",
        "_content_hash",
        "source_changed_at",
        "updated_at",
    ]
)
"""Columns that say when, by which sync and for which church."""
TWIN: Final = "org_01h455vb4pex5vsknk084sn02r"
ENTITY: Final = re.compile(r"[a-zA-Z]+_[0-9a-z]{26}")
CONFLICT: Final = re.compile(r"conflict-\d+")


def die(*_: Any, **__: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


async def die_async(*_: Any, **__: Any) -> NoReturn:
    die()


async def publish_and_die(*arguments: Any, **named: Any) -> None:
    """Within the transaction."""
    await _finish(*arguments, **named)
    die()


_finish = publishing._finish

MOMENTS: Final[Mapping[str, Any]] = {
    "load.publishing._unstage": die_async,
    "load.publishing._finish": publish_and_die,
    "transform.upsert.settle": die,
    "transform.transformation.conflicts.settle_ended": die,
    "transform.changes.write_state": die,
}


def attempt(database: Database, org_id: str, sync_id: str) -> None:
    assert statuses(sync(database, org_id, READ, SyncMode.INCREMENTAL, sync_id=sync_id)) == {}
    with database.connect() as connection:
        transform_org(connection, org_id, schema=database.settings.canonical_schema, sync_id=sync_id)


def _killed(org_id: str, sync_id: str, moment: str | None) -> None:
    with ExitStack() as patched, open_database(load_settings()) as database:
        if moment:
            patched.enter_context(patch(f"openfaith_pipeline.{moment}", MOMENTS[moment]))
        attempt(database, org_id, sync_id)
        die()  # committed


def _killed_rollback(sync_id: str) -> None:
    with patch("openfaith_pipeline.sync.rollback.recount_counted", die), open_database(load_settings()) as database:
        roll_back(database, RollbackOrder(sync_id))


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=12), rate_limit=GENEROUS) as running:
        yield running


class Church:
    """One of two orgs that read the same records of the same source."""

    def __init__(self, connection: psycopg.Connection[Any], org_id: str) -> None:
        self.connection, self.org_id = connection, org_id

    def edit(self, table: str, record_id: str, field: str, value: str) -> None:
        names = {"table": sql.Identifier(f"openfaith_{table}"), "field": sql.Identifier(field)}
        update = sql.SQL("UPDATE {table} SET {field} = %s, \"updatedBy\" = 'user_1' WHERE id = %s").format(**names)
        [entity_id] = [entity_id for entity_id, name in self._names().items() if name == f"{table} {record_id}"]
        assert self.connection.execute(update, (value, entity_id)).rowcount == 1
        self.connection.commit()

    def state(self) -> dict[str, list[str]]:
        """Rows, edits and conflicts, without ids and times."""
        tables = ("openfaith_people", "openfaith_emails", "openfaith_edges", '"openfaith_externalLinks"')
        found = {name: self._rows(f'SELECT to_jsonb(t) FROM {name} t WHERE "orgId" = %s') for name in tables}  # noqa: S608
        found["edits"] = self._rows("SELECT to_jsonb(t) FROM sync.local_edits t WHERE org_id = %s")
        found["conflicts"] = self._rows("SELECT to_jsonb(t) FROM sync.conflicts t WHERE org_id = %s")
        found["raw"] = self._rows("SELECT to_jsonb(t) FROM pco_people.people t WHERE org_id = %s")
        self.connection.commit()
        return found

    def journal(self, sync_id: str) -> list[str]:
        statement = """
            SELECT jsonb_build_object('table', table_name, 'key', row_key, 'action', action, 'before', before,
                'after', after) FROM sync.journal WHERE org_id = %s AND sync_id = %s"""
        found = self._rows(statement, sync_id)
        self.connection.commit()
        return found

    def _rows(self, statement: str, *parameters: str) -> list[str]:
        names = self._names()
        texts = [
            json.dumps(_stripped(row), sort_keys=True)
            for (row,) in self.connection.execute(statement.encode(), (self.org_id, *parameters))
        ]
        return sorted(ENTITY.sub(lambda each: names.get(each[0], each[0]), text) for text in texts)

    def _names(self) -> dict[str, str]:
        """By entity, its table and record."""
        links = self.connection.execute(
            "SELECT \"entityId\", CASE \"entityType\" WHEN 'person' THEN 'people' ELSE \"entityType\" || 's' END"
            ' || \' \' || "externalId" FROM "openfaith_externalLinks" WHERE "orgId" = %s',
            (self.org_id,),
        )
        return dict(links.fetchall())


def _stripped(value: Any) -> Any:
    """Without the columns that say when, and without the numbers of conflicts."""
    if isinstance(value, dict):
        return {name: _stripped(each) for name, each in value.items() if name not in TIMES}
    return CONFLICT.sub("conflict", value) if isinstance(value, str) else value


@pytest.fixture
def churches(database: Database, simulator: SimulatorClient) -> Iterator[tuple[Church, Church]]:
    [church] = simulator.churches()
    token = PersonalAccessToken(church["app_id"], SecretStr(church["secret"]))
    with database.connect() as connection:
        for org_id in (church["org_id"], TWIN):
            cipher = cipher_from(database.settings)
            add_org(connection, cipher, org_id, church["name"], token, api_url=simulator.url, adapter="pco")
        for (entity, field), policy in POLICIES.items():
            set_policy(connection, FieldPolicy(ANY, entity, field, policy))
        connection.commit()
        yield Church(connection, church["org_id"]), Church(connection, TWIN)


class BothSides:
    """Changes at the source, and the same changes in both churches' rows."""

    def __init__(self, simulator: SimulatorClient, churches: tuple[Church, Church]) -> None:
        self.simulator, self.churches = simulator, churches
        self.org_id = churches[0].org_id
        self.people, self.emails = (
            sorted((record["id"] for record in simulator.truth(self.org_id, stream.name)), key=int) for stream in READ
        )
        self.address = simulator.truth(self.org_id, "people.emails")[0]["attributes"]["address"]

    def here(self, number: int, field: str, value: str) -> None:
        for church in self.churches:
            church.edit("people", self.people[number], field, value)

    def there(self, number: int, field: str, value: str) -> None:
        attributes = {COLUMNS[field]: value}
        self.simulator.edit(self.org_id, "people.people", [int(self.people[number])], attributes=attributes)

    def email_there(self, address: str) -> None:
        self.simulator.edit(self.org_id, "people.emails", [int(self.emails[0])], attributes={"address": address})

    def disagree(self) -> None:
        """A conflict of each policy, and a field that is changed here alone."""
        self.there(2, "membership", "earlier there")
        for number, field in enumerate(("firstName", "lastName", "membership", "membership", "middleName")):
            self.here(number, field, "here")
        self.here(5, "firstName", "here alone")
        for church in self.churches:
            church.edit("emails", self.emails[0], "address", "here@example.org")
        self.simulator.advance_clock(3600)
        for number, field in (
            (0, "firstName"),
            (1, "lastName"),
            (3, "membership"),
            (4, "middleName"),
            (6, "firstName"),
        ):
            self.there(number, field, "there")
        self.email_there("there@example.org")

    def go_on(self) -> None:
        """A waiting conflict has another value, one comes to an end, and there is a new one."""
        self.here(4, "middleName", "here again")
        self.simulator.advance_clock(3600)
        for number, field in ((0, "firstName"), (1, "lastName"), (2, "membership"), (5, "firstName"), (7, "lastName")):
            self.there(number, field, "there again")
        self.email_there(self.address)


def test_it_ends_as_one_that_nobody_killed(
    database: Database, simulator: SimulatorClient, churches: tuple[Church, Church], environment: dict[str, str]
) -> None:
    killed, twin = churches
    sides = BothSides(simulator, churches)
    for church in churches:
        attempt(database, church.org_id, f"first of {church.org_id}")
    sides.disagree()
    for church in churches:
        attempt(database, church.org_id, f"second of {church.org_id}")
    sides.go_on()
    before = killed.state()
    assert before == twin.state()
    assert [text.count('"decision": null') for text in before["conflicts"]] == [1, 1]

    attempt(database, twin.org_id, "twin")
    for moment in (*MOMENTS, None):
        process = fork(_killed, killed.org_id, "killed", moment, environment=environment_with(**environment))
        assert process.wait(60) == -signal.SIGKILL, moment
        if moment:
            state = killed.state()
            assert {**state, "raw": before["raw"]} == before, moment
    assert killed.state() == twin.state()
    assert killed.journal("killed") == twin.journal("twin")
    attempt(database, killed.org_id, "killed")
    assert killed.state() == twin.state()
    assert killed.journal("killed") == twin.journal("twin")
    assert Counter(json.loads(text)["decision"] for text in twin.state()["conflicts"]) == {None: 2, "settled": 1}

    process = fork(_killed_rollback, "killed", environment=environment_with(**environment))
    assert process.wait(60) == -signal.SIGKILL
    assert killed.state() == twin.state()
    for sync_id in ("killed", "twin"):
        roll_back(database, RollbackOrder(sync_id))
    assert killed.state() == before == twin.state()
    for church in churches:
        attempt(database, church.org_id, f"again of {church.org_id}")
    assert killed.state() == twin.state()
