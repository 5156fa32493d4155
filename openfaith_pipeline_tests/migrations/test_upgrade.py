"""Upgrades of an empty and of a current database, concurrent upgrades, and the result compared with the code."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import psycopg2
import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr

from openfaith_pipeline.database import Database, bookkeeping, migration, open_database
from openfaith_pipeline.database.canonical_tables import canonical_metadata
from openfaith_pipeline.database.migration import is_current, upgrade
from openfaith_pipeline.database.raw_tables import raw_metadata
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.database.versions import MIGRATIONS, head_revision, was_upgraded
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable

_PARTITION = re.compile(
    r"journal_(2.*|default)|(connections|rate_budgets|org_schedules|webhook_orgs|webhook_subscriptions)(_of_others)?"
)
_COLUMNS = """
SELECT table_schema, table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2, 3
"""


def _rows(database: Database, statement: str) -> list[Any]:
    with database.connect() as connection:
        return connection.execute(statement).fetchall()  # type: ignore[arg-type]


def _differences(database: Database, *, of: frozenset[str] = frozenset()) -> list[Any]:
    """The differences that `alembic check` would report, over all our schemas or only these."""
    metadata = [bookkeeping.METADATA, canonical_metadata(database.settings.canonical_schema), raw_metadata()]
    schemas = of or {str(table.schema) for part in metadata for table in part.tables.values()}

    def is_compared(name: str | None, kind: str, parents: Any) -> bool:
        is_partition = parents.get("schema_name") == "sync" and _PARTITION.fullmatch(name or "")
        is_ours = name != "alembic_version" and not is_partition
        return name in schemas if kind == "schema" else kind != "table" or is_ours

    # With `public` in the search path Alembic takes it for "no schema" and finds none of the tables there.
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: database.connect(options="-c search_path=pg_catalog")
    )
    with engine.connect() as connection:
        options = {"include_schemas": True, "include_name": is_compared, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts={**options, "target_metadata": metadata})
        return compare_metadata(context, metadata)  # type: ignore[arg-type]


def test_an_upgraded_database_is_as_the_code_declares(empty_database: Database) -> None:
    upgrade(empty_database)
    assert _differences(empty_database) == []
    # And the comparison is not blind.
    with empty_database.connect() as connection:
        connection.execute('ALTER TABLE public.openfaith_people ALTER "createdAt" DROP NOT NULL')
        connection.execute("DROP INDEX sync.stream_syncs_one_running")
        connection.execute("ALTER TABLE sync.source_connections ALTER state SET DEFAULT 'degraded'")
    found = _differences(empty_database, of=frozenset({"public", "sync"}))
    assert {_kind(difference) for difference in found} >= {"modify_nullable", "add_index", "modify_default"}


def _kind(difference: Any) -> str:
    """Differences come as tuples, and those of one column as a list of them."""
    return str((difference[0] if isinstance(difference, list) else difference)[0])


def test_bookkeeping_accepts_known_states_only(database: Database) -> None:
    with database.connect() as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("INSERT INTO sync.syncs (sync_id, mode, trigger, status) VALUES ('s', 'm', 't', 'odd')")


def test_one_running_sync_of_a_stream_at_a_time(database: Database) -> None:
    insert = (
        "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status)"
        " VALUES ('s', %s, 'people.emails', 'people.emails', 'incremental', %s)"
    )
    with database.connect() as connection:
        connection.execute("INSERT INTO sync.syncs (sync_id, mode, trigger) VALUES ('s', 'incremental', 'test')")
        for org_id, status in (("a", "running"), ("b", "running"), ("a", "failed"), ("a", "succeeded")):
            connection.execute(insert, (org_id, status))
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(insert, ("a", "running"))


def test_dagster_has_an_empty_schema_and_its_url_leads_there(empty_database: Database) -> None:
    upgrade(empty_database)
    connection = psycopg2.connect(empty_database.dagster_url.replace("+psycopg2", ""))
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE runs (id int); SELECT to_regclass('dagster.runs')::text")
        assert cursor.fetchone() == ("runs",)
    connection.close()


def test_upgrading_twice_changes_nothing(empty_database: Database) -> None:
    assert not is_current(empty_database)
    upgrade(empty_database)
    before = _rows(empty_database, _COLUMNS)
    assert is_current(empty_database)
    upgrade(empty_database)
    assert _rows(empty_database, _COLUMNS) == before
    assert len(before) > 500


def test_upgrades_at_the_same_time_take_turns(empty_database: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        for upgraded in [pool.submit(upgrade, empty_database) for _ in range(4)]:
            upgraded.result()
    assert is_current(empty_database)


def test_each_missing_piece_is_noticed_and_made_good(database: Database) -> None:
    for damage in (
        "DROP INDEX pco_people.emails_person_id_idx",
        "ALTER TABLE pco_people.emails DROP COLUMN address CASCADE",
        "DROP TABLE pco_people.emails CASCADE",
        "DROP VIEW openfaith.churches CASCADE",
        "DROP SCHEMA staging CASCADE",
    ):
        with database.connect() as connection:
            connection.execute(damage)  # type: ignore[arg-type]
        assert not is_current(database), damage
        upgrade(database)
        assert is_current(database), damage


def test_a_configured_database_that_is_behind_is_refused_until_upgraded(empty_database: Database) -> None:
    with (
        pytest.raises(ConfigurationError, match="openfaith-pipeline db upgrade"),
        open_database(empty_database.settings),
    ):
        pass
    with open_database(empty_database.settings, upgrade=True) as database:
        assert is_current(database)
    with open_database(empty_database.settings) as database, database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM pco_people.emails").fetchone() == (0,)


def test_an_upgraded_database_is_recognized_by_the_objects_of_the_upgrade(empty_database: Database) -> None:
    assert not was_upgraded(empty_database)
    upgrade(empty_database)
    assert was_upgraded(empty_database)
    with empty_database.connect() as connection:
        connection.execute("COMMENT ON SCHEMA staging IS 'another catalog'")
    assert not was_upgraded(empty_database)
    upgrade(empty_database)
    assert was_upgraded(empty_database)
    with empty_database.connect() as connection:
        connection.execute("UPDATE sync.alembic_version SET version_num = '0001'")
    assert not was_upgraded(empty_database)


def test_a_version_that_needs_nothing_more_opens_a_database_that_another_has_upgraded(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("ALTER TABLE pco_people.emails ADD COLUMN of_another_version text")
        connection.execute("COMMENT ON SCHEMA staging IS 'another catalog'")
    with open_database(database.settings) as opened, opened.connect() as connection:
        kept = connection.execute("SELECT count(of_another_version) FROM pco_people.emails").fetchone()
    assert kept == (0,), "what the other version added is left alone"


def test_not_upgrading_leaves_the_database_as_it_is(empty_database: Database) -> None:
    with open_database(empty_database.settings, upgrade=False) as database:
        assert _rows(database, _COLUMNS) == []


def test_a_database_of_a_newer_version_is_not_touched(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE sync.alembic_version SET version_num = '9999'")
    for act in (is_current, upgrade):
        with pytest.raises(ConfigurationError, match=r"revision 9999 by a newer version"):
            act(database)


def test_a_changed_canonical_schema_is_reported_not_half_followed(database: Database) -> None:
    settings = database.settings.model_copy(update={"canonical_schema": "elsewhere"})
    with pytest.raises(ConfigurationError, match="OPENFAITH_SCHEMA is elsewhere"), open_database(settings):
        pass


def test_a_table_in_use_ends_the_upgrade_with_a_retriable_error(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "_LOCK_TIMEOUT", "50ms")
    with database.connect() as damage:
        damage.execute("ALTER TABLE pco_people.emails DROP COLUMN address CASCADE")
    with database.connect() as reader:
        reader.execute("SELECT count(*) FROM pco_people.emails")
        with pytest.raises(DatabaseUnavailable, match="in use"):
            upgrade(database)
    upgrade(database)
    assert is_current(database)


def test_a_user_without_rights_gets_an_error_that_says_so(database: Database, postgres: RunningServer) -> None:
    administrator = postgres.administrator_url(str(database.settings.db_name))
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute("ALTER TABLE pco_people.emails DROP COLUMN address CASCADE")
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'planted'")
        connection.execute("GRANT USAGE ON SCHEMA sync, pco_people TO reader")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA sync TO reader")
    try:
        settings = database.settings.model_copy(update={"db_username": "reader", "db_password": SecretStr("planted")})
        with (
            pytest.raises(ConfigurationError, match="user may not upgrade"),
            open_database(settings, upgrade=True),
        ):
            pass
    finally:
        with psycopg.connect(administrator, autocommit=True) as connection:
            connection.execute("DROP OWNED BY reader; DROP ROLE reader")


def test_the_newest_file_is_the_one_head_of_the_chain() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [head_revision()]


def test_every_name_fits_postgres() -> None:
    tables = raw_metadata().tables.values()
    names = {str(name) for table in tables for name in (table.name, *(index.name for index in table.indexes))}
    assert max(map(len, names)) <= 63
