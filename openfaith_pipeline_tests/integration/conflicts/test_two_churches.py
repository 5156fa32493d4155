"""Two churches with the same records never mix in any table, while both have conflicts, edits and decisions."""

from typing import Any, Final

import pytest
from psycopg import Connection, sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.review.conflict_policies import Policy
from openfaith_pipeline.sources import CANONICAL, STREAMS
from openfaith_pipeline_tests.integration.conflicts.differing import differences
from openfaith_pipeline_tests.integration.conflicts.steps import Steps
from openfaith_pipeline_tests.integration.conflicts.world import ORGS
from openfaith_pipeline_tests.tenants import add_orgs

pytestmark = pytest.mark.slow

NOTES: Final = ("sync.conflicts", "sync.local_edits", "sync.journal", "sync.rollbacks")
# All that there are, so that one that is added later is looked at too.
_TABLES: Final = """
SELECT n.nspname, c.relname, a.attname FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname IN ('org_id', 'orgId')
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_(catalog|temp|toast)'
ORDER BY 1, 2
"""
_ROWS: Final = sql.SQL("SELECT t.tableoid::text || t.ctid || t.xmin || to_jsonb(t) FROM {} AS t WHERE {} = %s")

Rows = dict[str, set[str]]


def test_nothing_of_one_is_in_a_row_of_the_other_or_touches_it(database: Database) -> None:
    add_orgs(database, dict(zip(ORGS, ("Amber Hill", "Birch Lane"), strict=True)))
    with database.connect() as connection:
        history = Steps(database, connection, seed=2)
        history.set_policy("*", "*", "*", Policy.ASK)
        for org in ORGS:
            history.sync(org)
        _go_on(history, 10)
        for org in ORGS:  # chance alone may refuse all of them
            assert any(history.roll_back(org) != "rollback refused" for _ in range(20))
        _go_on_until_both_have_notes(history)
        for org, other in (ORGS, ORGS[::-1]):
            before = _rows(connection, other)
            history.orgs = (org,)
            _go_on(history, 8)
            assert _rows(connection, other) == before, f"events of {org} touched {other}"
        for org, other in (ORGS, ORGS[::-1]):
            assert _naming(_rows(connection, org), _ids_of(connection, other)) == []


def _go_on(history: Steps, steps: int) -> None:
    for _ in range(steps):
        history.step()
    assert differences(history) == []


def _go_on_until_both_have_notes(history: Steps) -> None:
    for _ in range(20):
        _go_on(history, 10)
        rows = [_rows(history.connection, org) for org in ORGS]
        lacking = [table for each in rows for table in NOTES if not each.get(table)]
        if not lacking:
            return
    raise AssertionError(f"chance has brought nothing to compare in {lacking}")


def _rows(connection: Connection[Any], org: str) -> Rows:
    """Every row of the org as it is and where it is, so that even a write that changes nothing is seen."""
    tables = connection.execute(_TABLES).fetchall()
    found = {
        f"{schema}.{name}": {
            row
            for (row,) in connection.execute(
                _ROWS.format(sql.Identifier(schema, name), sql.Identifier("t", column)), (org,)
            )
        }
        for schema, name, column in tables
    }
    connection.commit()
    canonical = {f"public.openfaith_{name}" for name in CANONICAL.tables}
    assert found.keys() >= {*canonical, *(stream.raw_table for stream in STREAMS.values()), *NOTES}
    return {name: rows for name, rows in found.items() if rows}


def _ids_of(connection: Connection[Any], org: str) -> set[str]:
    """The org's own id, and those of its entities and conflicts, which no other org has."""
    ids = connection.execute(
        'SELECT "entityId" FROM "openfaith_externalLinks" WHERE "orgId" = %(org)s'
        " UNION SELECT id FROM sync.conflicts WHERE org_id = %(org)s",
        {"org": org},
    ).fetchall()
    connection.commit()
    return {org, *(each for (each,) in ids)}


def _naming(rows: Rows, ids: set[str]) -> list[str]:
    return [
        f"{table}: {row}" for table, found in rows.items() for row in found if any(f'"{each}"' in row for each in ids)
    ]
