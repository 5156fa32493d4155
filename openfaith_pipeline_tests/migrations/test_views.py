"""The views for people who query survive upgrades: changed definitions, retyped columns, damage, an older Postgres."""

import re
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from openfaith_pipeline.catalog.stream import FLOAT, INTEGER, TEXT
from openfaith_pipeline.catalog.view import View
from openfaith_pipeline.database import Database, view_alignment
from openfaith_pipeline.database.migration import is_current, upgrade
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.sources import STREAMS, VIEWS
from openfaith_pipeline_tests.integration.journal.things import STREAM, align

RAW_TABLES = {stream.raw_table for stream in STREAMS.values()} | {
    f"{stream.schema}.{links}" for stream in STREAMS.values() for links in stream.links.values()
}
BEFORE = replace(STREAM, attributes={"name": INTEGER})

_TYPE = "SELECT data_type FROM information_schema.columns"
_SHOWN = """
SELECT c.relname, pg_get_viewdef(c.oid), c.reloptions, obj_description(c.oid, 'pg_class'), col_description(c.oid, 2),
    (SELECT array_agg(grantee::regrole || ' ' || privilege_type ORDER BY 1) FROM aclexplode(c.relacl))
FROM pg_class AS c WHERE c.relkind = 'v' AND c.relname LIKE 'things%' ORDER BY 1
"""


def test_views_read_only_tables_that_the_catalog_makes() -> None:
    ours = {"sync.journal", "sync.orgs", "sync.rollbacks", "sync.stream_states", "pg_catalog.pg_timezone_names"}

    assert {table for view in VIEWS.values() for table in view.tables} - ours <= RAW_TABLES
    for view in VIEWS.values():
        assert not re.search(r"\b(INSERT|UPDATE|DELETE)\b", view.sql)


def test_a_damaged_or_older_view_is_made_anew_and_keeps_its_readers(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.connect(autocommit=True) as connection:
        connection.execute("DROP VIEW openfaith.households")
        assert not is_current(database)
        upgrade(database)
        assert is_current(database)

        connection.execute("GRANT SELECT ON openfaith.households TO PUBLIC")
        connection.execute("CREATE VIEW mine AS SELECT household FROM openfaith.households")
        _declare(monkeypatch, replace(VIEWS["households"], comment="Changed."))
        assert not is_current(database)
        upgrade(database)
        assert is_current(database)
        assert _value(connection, "SELECT obj_description('openfaith.households'::regclass)") == "Changed."
        assert _value(
            connection, "SELECT relacl::text LIKE '%=r/%' FROM pg_class WHERE oid = 'openfaith.households'::regclass"
        )

        connection.execute("DROP VIEW mine")
        fewer = View("households", "Fewer columns.", "SELECT org_id, id FROM pco_people.households", {"org_id": "Org."})
        _declare(monkeypatch, fewer)
        upgrade(database)
        assert _value(connection, "SELECT obj_description('openfaith.households'::regclass)") == "Fewer columns."


def test_a_view_that_others_read_says_so_when_it_must_lose_a_column(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.connect(autocommit=True) as connection:
        connection.execute("CREATE VIEW mine AS SELECT household FROM openfaith.households")
        _declare(monkeypatch, View("households", "", "SELECT org_id, id FROM pco_people.households", {"org_id": ""}))

        with pytest.raises(ConfigurationError, match="view mine depends"):
            upgrade(database)


def test_no_view_is_made_over_a_table_that_is_not_there_or_without_the_readers_rights(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.connect(autocommit=True) as connection:
        connection.execute("DROP SCHEMA openfaith CASCADE")
        monkeypatch.setattr(view_alignment, "OLDEST_POSTGRES", 990000)
        upgrade(database)
        assert is_current(database)
        assert _value(connection, "SELECT to_regnamespace('openfaith')") is None

        monkeypatch.undo()
        connection.execute("DROP TABLE pco_people.household_memberships")
        view_alignment.align_views(connection, "openfaith")
        assert _value(connection, "SELECT to_regclass('openfaith.households')") is None
        assert _value(connection, "SELECT to_regclass('openfaith.group_rosters')") is not None


def test_views_outlive_a_column_that_changes_its_type(database: Database) -> None:
    """Nobody finds them missing: another session sees them until the moment in which they read the new type."""
    with database.connect() as connection:
        align(connection, BEFORE)
        connection.execute(
            "CREATE VIEW things_1 WITH (security_invoker=true) AS SELECT org_id, name FROM pco_people.things"
        )
        connection.execute("CREATE VIEW things_2 AS SELECT org_id, name FROM things_1")
        connection.execute("COMMENT ON VIEW things_1 IS 'Of mine.'")
        connection.execute("COMMENT ON COLUMN things_1.name IS 'Its \"name\".'")
        connection.execute("GRANT SELECT ON things_2 TO PUBLIC")
        connection.execute("GRANT SELECT ON things_1 TO pg_monitor WITH GRANT OPTION")
        before = connection.execute(_SHOWN).fetchall()
        connection.commit()

        align(connection, replace(BEFORE, attributes={"name": TEXT}))

        assert connection.execute(_SHOWN).fetchall() == before
        assert (
            _value(connection, "SELECT pg_typeof(name)::text FROM things_2 UNION ALL SELECT 'text' LIMIT 1") == "text"
        )
        connection.commit()
        with database.connect() as other:
            assert other.execute("SELECT name FROM things_2").fetchall() == []


def test_a_view_that_does_not_work_with_the_new_type_stops_the_change(database: Database) -> None:
    with database.connect() as connection:
        align(connection, BEFORE)
        connection.execute("CREATE VIEW things_1 AS SELECT sum(name) FROM pco_people.things")
        connection.commit()

        with pytest.raises(ConfigurationError, match=r"view public\.things_1 does not work.*Drop it"):
            align(connection, replace(BEFORE, attributes={"name": TEXT}))
        connection.rollback()
        assert _value(connection, f"{_TYPE} WHERE table_name = 'things_1'") == "numeric"
        connection.execute("DROP VIEW things_1")
        connection.commit()
        align(connection, replace(BEFORE, attributes={"name": FLOAT}))


def test_a_view_of_another_user_stops_the_change(database: Database, postgres: Any) -> None:
    with database.connect() as connection:
        align(connection, BEFORE)
    name = database.settings.db_name
    with psycopg.connect(postgres.administrator_url(name), autocommit=True) as other:
        other.execute("CREATE VIEW things_1 AS SELECT name FROM pco_people.things")
    with database.connect() as connection, pytest.raises(psycopg.errors.FeatureNotSupported):
        align(connection, replace(BEFORE, attributes={"name": TEXT}))


def _declare(monkeypatch: pytest.MonkeyPatch, view: View) -> None:
    monkeypatch.setattr(view_alignment, "VIEWS", {**VIEWS, view.name: view})


def _value(connection: Connection[Any], query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    return row and row[0]
