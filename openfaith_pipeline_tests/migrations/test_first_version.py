"""A database made by the first version that could sync is upgraded in one step, and loses nothing.

`first_version.sql.xz` is a pg_dump of that version's demo, synced with thirteen made-up people and encrypted with the
tests' key: People only, migrations 0001 and 0002, no journal.
"""

import lzma
import subprocess
from pathlib import Path
from typing import Any

import pytest

from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import credentials_of
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.backup.tools import environment_of, find_tools, without_password
from openfaith_pipeline.database.migration import is_current, upgrade
from openfaith_pipeline.database.versions import head_revision, revision_of
from openfaith_pipeline.transform import transform_org

_RAW_TABLES = """
SELECT n.nspname || '.' || c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = 'pco_people' ORDER BY 1
"""
_PEOPLE = 'SELECT id, "orgId", "firstName", "lastName", "createdAt" FROM public.openfaith_people ORDER BY id'
_LINKS = """
SELECT "externalId", "entityId" FROM public."openfaith_externalLinks" WHERE "entityType" = 'person' ORDER BY 1, 2
"""


@pytest.fixture
def of_first_version(empty_database: Database) -> Database:
    script = lzma.decompress(Path(__file__).with_name("first_version.sql.xz").read_bytes())
    tools = find_tools(empty_database.settings, 18)
    command = tools.command(
        "psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", without_password(empty_database.url)
    )
    subprocess.run(
        command, input=script, env=environment_of(empty_database.url), check=True, stdout=subprocess.DEVNULL, timeout=60
    )
    return empty_database


def _rows(database: Database, statement: str) -> list[Any]:
    with database.connect() as connection:
        return connection.execute(statement).fetchall()  # type: ignore[arg-type]


def _raw(database: Database, columns: dict[str, list[str]]) -> dict[str, list[Any]]:
    """The values of these columns, by table."""
    return {
        table: _rows(database, f"SELECT {', '.join(names)} FROM {table} ORDER BY org_id, id")  # noqa: S608
        for table, names in columns.items()
    }


def _columns(database: Database) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for (table,) in _rows(database, _RAW_TABLES):
        schema, name = table.split(".")
        named = _rows(
            database,
            "SELECT quote_ident(column_name) || '::text' FROM information_schema.columns"  # noqa: S608
            f" WHERE table_schema = '{schema}' AND table_name = '{name}' AND column_name <> '_extra' ORDER BY 1",
        )
        found[table] = [column for (column,) in named]
    return found


def test_the_first_version_is_upgraded_in_one_step(of_first_version: Database) -> None:
    database = of_first_version
    with database.connect() as connection:
        assert revision_of(connection) == "0002"
    columns = _columns(database)
    before, people, links = _raw(database, columns), _rows(database, _PEOPLE), _rows(database, _LINKS)
    assert len(before["pco_people.people"]) == len(people) == len(links) == 13

    upgrade(database)

    assert is_current(database)
    with database.connect() as connection:
        assert revision_of(connection) == head_revision()
    assert _raw(database, columns) == before
    assert (_rows(database, _PEOPLE), _rows(database, _LINKS)) == (people, links)
    orgs = [org for (org,) in _rows(database, "SELECT org_id FROM sync.orgs ORDER BY 1")]
    with database.connect() as connection:
        for org in orgs:
            assert credentials_of(connection, cipher_from(database.settings), org, adapter="pco")
            results = transform_org(connection, org, schema="public", sync_id="after", is_full=True)
            assert results["people"].inserted == 0, "everybody is who they were"
    assert [row[0] for row in _rows(database, _PEOPLE)] == [row[0] for row in people]
