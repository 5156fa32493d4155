"""`sync.as_of`: each table as it was at a moment, exactly."""

from datetime import datetime
from typing import Any

import psycopg
import pytest
from psycopg import sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.sync.rollback import RollbackOrder, roll_back
from openfaith_pipeline_tests.integration.journal.church import change_the_source, synced
from openfaith_pipeline_tests.integration.raw_rows import put_row
from openfaith_pipeline_tests.integration.replay import journaled_tables
from openfaith_pipeline_tests.integration.snapshots import Snapshot, differing, snapshot
from openfaith_pipeline_tests.integration.sync.church import connect
from openfaith_pipeline_tests.integration.transform.tables import transform

ORG = "org_01h455vb4pex5vsknk084sn02q"


def as_of(connection: psycopg.Connection[Any], org_id: str, moment: datetime) -> Snapshot:
    taken: Snapshot = {}
    for table in journaled_tables():
        statement = sql.SQL("SELECT past::text FROM sync.as_of(NULL::{}, %s, %s) AS past").format(table.identifier)
        taken[table.full_name] = sorted(row for (row,) in connection.execute(statement, (org_id, moment)).fetchall())
    return {name: rows for name, rows in taken.items() if rows}


def test_each_table_is_as_it_was(database: Database, simulator: SimulatorClient) -> None:
    [org_id] = connect(database, simulator)
    taken: list[tuple[datetime, Snapshot]] = []
    with database.connect(autocommit=True) as connection:

        def take() -> None:
            [now] = connection.execute("SELECT clock_timestamp()").fetchone() or [None]
            taken.append((now, snapshot(connection)))

        take()
        synced(database, org_id, "first")
        take()
        change_the_source(simulator, org_id)
        synced(database, org_id, "second")
        take()
        roll_back(database, RollbackOrder("second"))
        take()
        roll_back(database, RollbackOrder("first"))
        for moment, then in taken:
            assert differing(as_of(connection, org_id, moment), then) == []
        assert taken[0][1] == {} and len(taken[1][1]) >= 9
        assert as_of(connection, "org_of_others", taken[1][0]) == {}


def test_a_row_that_somebody_has_removed_since_is_missing(database: Database) -> None:
    """The journal does not have its other columns; a row of these alone would be nobody's."""
    with database.connect() as connection:
        for number in ("1", "2"):
            put_row(connection, "people.people", ORG, number, first_name="Ann")
        transform(connection, ORG)
        [moment] = connection.execute("SELECT clock_timestamp()").fetchone() or [None]
        connection.execute("UPDATE pco_people.people SET first_name = 'Anna'")
        connection.commit()
        transform(connection, ORG)
        connection.execute('DELETE FROM openfaith_people WHERE "externalIds" @> \'[{"id": "1"}]\'')
        statement = 'SELECT "orgId", "firstName" FROM sync.as_of(NULL::openfaith_people, %s, %s)'
        assert connection.execute(statement, (ORG, moment)).fetchall() == [(ORG, "Ann")]


def test_an_unknown_past_is_refused(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        for call, reason in (
            ("NULL::pco_people.emails, 'org', '2001-01-01'", "the journal begins at"),
            ("NULL::pco_people.emails, 'org', NULL", "needs an org and a moment"),
            ("NULL::sync.drift, 'org', now()", None),
            ("NULL::sync.journal_horizon, 'org', now()", "not a table that is journaled"),
        ):
            if reason:
                with pytest.raises(psycopg.errors.RaiseException, match=reason):
                    connection.execute(f"SELECT * FROM sync.as_of({call})")  # type: ignore[arg-type]  # noqa: S608
