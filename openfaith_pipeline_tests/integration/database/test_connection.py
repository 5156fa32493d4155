"""Connecting to the database named by DB_*: the same code, and messages without the password."""

import socket
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.database.connection import configured_url, data_url_of, database_at
from openfaith_pipeline.database.server import RunningServer, use_server
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable
from openfaith_pipeline.settings import Settings

DEBIANS_POSTGRES = Path("/usr/lib/postgresql/15/bin")


def test_connections_speak_utc_and_say_who_they_are(database: Database) -> None:
    with database.connect() as connection:
        assert connection.execute("SHOW timezone").fetchone() == ("UTC",)
        assert connection.execute("SHOW application_name").fetchone() == ("openfaith-pipeline",)


async def test_a_pool_is_opened_by_its_user_and_bounded(database: Database) -> None:
    pool = database.pool(size=2)
    assert pool.closed
    async with pool, pool.connection() as first, pool.connection() as second:
        assert await (await first.execute("SHOW timezone")).fetchone() == ("UTC",)
        assert second is not first
        assert pool.max_size == 2


def test_neither_repr_nor_settings_show_the_password(database: Database) -> None:
    assert database.settings.db_password is not None
    password = database.settings.db_password.get_secret_value()
    assert password in database.url
    assert password in database.dagster_url
    assert password not in repr(database)


@pytest.mark.parametrize(
    ("change", "expected", "shown"),
    [
        ({"db_password": SecretStr("planted@:/?")}, ConfigurationError, "password authentication failed"),
        ({"db_username": "nobody here"}, ConfigurationError, "as user nobody here"),
        ({"db_name": "no_such"}, ConfigurationError, "does not exist"),
        ({"db_host": "no-such-host.invalid"}, DatabaseUnavailable, "no-such-host.invalid"),
    ],
)
def test_an_error_in_db_settings_is_reported(
    settings: Settings, change: dict[str, object], expected: type[Exception], shown: str
) -> None:
    wrong = settings.model_copy(update=change)
    with pytest.raises(expected) as caught, open_database(wrong):
        pass
    message = str(caught.value)
    assert shown in message
    assert f"{wrong.db_host}:{wrong.db_port}" in message
    assert "planted" not in message
    assert settings.db_password is not None
    assert settings.db_password.get_secret_value() not in message
    assert caught.value.__cause__ is None


def test_a_server_that_does_not_answer_is_retriable(settings: Settings) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with (
            pytest.raises(DatabaseUnavailable, match=rf"127\.0\.0\.1:{port} as user openfaith"),
            open_database(settings.model_copy(update={"db_port": port})),
        ):
            pass


def test_names_and_passwords_with_any_characters_connect(database: Database, postgres: RunningServer) -> None:
    odd = "o'd d@:/?#%&"
    role = sql.Identifier(odd)
    with psycopg.connect(postgres.administrator_url(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(odd)))
        settings = database.settings.model_copy(update={"db_username": odd, "db_password": SecretStr(odd)})
        with database_at(settings, configured_url(settings)).connect() as connected:
            assert connected.execute("SELECT current_user").fetchone() == (odd,)
        connection.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("db.example", "postgresql://u:p@db.example:5432/n"),
        ("::1", "postgresql://u:p@[::1]:5432/n"),
        ("/var/run/postgresql", "postgresql://u:p@/n?host=%2Fvar%2Frun%2Fpostgresql&port=5432"),
    ],
)
def test_hosts_names_addresses_and_sockets(host: str, url: str) -> None:
    settings = Settings(db_host=host, db_name="n", db_username="u", db_password="p")
    assert configured_url(settings) == url
    dagster_url = database_at(settings, url).dagster_url
    assert "search_path%3Ddagster" in dagster_url
    assert conninfo_to_dict(data_url_of(dagster_url)) == conninfo_to_dict(url)


@pytest.mark.skipif(not DEBIANS_POSTGRES.exists(), reason="needs Debian's PostgreSQL 15")
def test_an_older_postgres_does_as_well(home: Settings) -> None:
    with use_server(home.model_copy(update={"postgres_bin": DEBIANS_POSTGRES})) as server:
        settings = Settings(
            home=home.home,
            db_host="127.0.0.1",
            db_port=server.port,
            db_name="openfaith",
            db_username="openfaith",
            db_password=server.password,
        )
        with open_database(settings, upgrade=True) as database, database.connect() as connection:
            version = connection.execute("SELECT current_setting('server_version_num')::int / 10000").fetchone()
            assert version == (15,)
        with open_database(settings):
            pass
