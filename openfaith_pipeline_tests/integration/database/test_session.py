"""A session is set as the product needs it, whatever the environment, the role or the database would have."""

from collections.abc import Iterator

import psycopg
import psycopg2
import pytest
from psycopg import sql

from openfaith_pipeline.database import Database, open_database, server
from openfaith_pipeline.database.connection import data_url_of
from openfaith_pipeline.database.server import RunningServer, use_server
from openfaith_pipeline.database.session import SETTINGS
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable
from openfaith_pipeline.settings import Settings
from openfaith_pipeline_tests.verbs import Verbs

HOSTILE_VARIABLES = {
    "PGCLIENTENCODING": "LATIN1",
    "PGCONNECT_TIMEOUT": "soon",
    "PGDATESTYLE": "German",
    "PGHOSTADDR": "203.0.113.1",
    "PGLOADBALANCEHOSTS": "perhaps",
    "PGOPTIONS": "-c statement_timeout=1 -c datestyle=German -c no_such=1",
    "PGSERVICE": "no_such",
    "PGTARGETSESSIONATTRS": "standby",
    "PGTZ": "Asia/Kolkata",
    "PGGEQO": "perhaps",
}
HOSTILE_SETTINGS = {
    "DateStyle": "German,DMY",
    "IntervalStyle": "iso_8601",
    "TimeZone": "Asia/Kolkata",
    "extra_float_digits": "0",
    "bytea_output": "escape",
    "client_encoding": "LATIN1",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "idle_in_transaction_session_timeout": "1",
    "idle_session_timeout": "1000000",
    "lock_timeout": "1000000",
    "search_path": "elsewhere",
    "standard_conforming_strings": "off",
    "statement_timeout": "1000000",
}


@pytest.fixture
def hostile(postgres: RunningServer, database: Database) -> Iterator[Database]:
    """A database that would have every session set otherwise."""
    name = sql.Identifier(str(database.settings.db_name))
    with psycopg.connect(postgres.administrator_url(), autocommit=True) as connection:
        for setting, value in HOSTILE_SETTINGS.items():
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET {} = {}").format(name, sql.Identifier(setting), sql.Literal(value))
            )
        yield database
        connection.execute(sql.SQL("ALTER DATABASE {} RESET ALL").format(name))


async def test_the_database_does_not_set_our_sessions(hostile: Database) -> None:
    expected = {**SETTINGS, "DateStyle": "ISO, MDY", "client_encoding": "UTF8"}
    show = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"
    with hostile.connect() as connection:
        assert dict(connection.execute(show, (list(expected),)).fetchall()) == expected
        assert connection.execute("SELECT 45.12345678901234::float8::text").fetchone() == ("45.12345678901234",)
    async with hostile.pool(size=1) as pool, pool.connection() as used:
        assert dict(await (await used.execute(show, (list(expected),))).fetchall()) == expected
    with hostile.engine().connect() as engaged:
        assert engaged.exec_driver_sql("SHOW DateStyle").scalar() == "ISO, MDY"
    dagsters = psycopg2.connect(hostile.dagster_url.replace("+psycopg2", ""))
    with dagsters, dagsters.cursor() as cursor:
        cursor.execute(show, (list(expected),))
        assert dict(cursor.fetchall()) == {**expected, "search_path": "dagster"}
    dagsters.close()


def test_dagsters_url_leads_back_to_ours(database: Database) -> None:
    assert data_url_of(database.dagster_url) == database.url


@pytest.mark.usefixtures("hostile")
def test_verbs_do_their_work_on_a_hostile_database(environment: dict[str, str]) -> None:
    outcome = Verbs(environment)("db", "upgrade", "--json")
    assert outcome.document == {"was_current": True}
    assert Verbs(environment)("org", "list", "--json").document == []


def test_variables_of_libpq_do_not_reach_it(environment: dict[str, str]) -> None:
    verb = Verbs({**environment, **HOSTILE_VARIABLES})

    assert verb("org", "list", "--json").document == []
    assert verb("db", "status", "--json").document["is_current"] is True


def test_nor_do_they_reach_the_embedded_one(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**HOSTILE_VARIABLES, "PGSSLMODE": "verify-full", "PGREQUIREAUTH": "none"}.items():
        monkeypatch.setenv(name, value)
    with use_server(home) as running, psycopg.connect(running.url()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_how_the_connection_is_protected_is_libpqs_to_say(environment: dict[str, str]) -> None:
    outcome = Verbs({**environment, "PGSSLMODE": "perhaps"})("org", "list")

    assert (outcome.code, "PGSSL" in outcome.err) == (2, True)


def test_a_database_that_cannot_hold_every_name_is_refused_by_name(postgres: RunningServer, settings: Settings) -> None:
    with psycopg.connect(postgres.administrator_url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE narrow ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
        try:
            narrow = settings.model_copy(update={"db_name": "narrow"})
            with (
                pytest.raises(ConfigurationError, match="narrow has the encoding LATIN1"),
                open_database(narrow, upgrade=True),
            ):
                pass
        finally:
            connection.execute("DROP DATABASE narrow WITH (FORCE)")


def test_upgrade_waits_for_a_postgres_that_starts_but_not_for_ever(environment: dict[str, str]) -> None:
    outcome = Verbs({**environment, "DB_PORT": "9"})("db", "upgrade", "--wait", "1")

    assert outcome.code == 1
    assert "waiting up to 1 s" in outcome.err
    assert "error: Postgres at 127.0.0.1:9" in outcome.err


def test_an_embedded_postgres_that_refuses_says_why(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_PUZZLED_SECONDS", 0.1)
    with use_server(home) as running:
        with psycopg.connect(running.administrator_url(), autocommit=True) as connection:
            connection.execute("ALTER DATABASE openfaith WITH ALLOW_CONNECTIONS false")
        with pytest.raises(DatabaseUnavailable, match="not currently accepting connections"), use_server(home):
            pass
