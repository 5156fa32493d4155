"""Nobody works in the embedded Postgres as its superuser."""

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from openfaith_pipeline.database.access.logins import make_owner
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.database.migration import upgrade
from openfaith_pipeline.database.owner import ADMINISTRATOR, OWNER
from openfaith_pipeline.database.server import RunningServer, use_server
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.settings import Settings

# As an earlier version left it: everything belongs to the superuser that made the cluster.
_EARLIER = """
ALTER DATABASE openfaith OWNER TO openfaith;
CREATE SCHEMA kept;
CREATE TABLE kept."a Table" (id bigserial PRIMARY KEY, number integer GENERATED ALWAYS AS IDENTITY) ;
CREATE TABLE kept.parts (day date) PARTITION BY RANGE (day);
CREATE TABLE kept.part PARTITION OF kept.parts DEFAULT;
CREATE SEQUENCE kept.loose;
CREATE VIEW kept.seen AS SELECT id FROM kept."a Table";
CREATE MATERIALIZED VIEW kept.stored AS SELECT id FROM kept."a Table";
CREATE DOMAIN kept.small AS integer CHECK (value < 9);
CREATE TYPE kept.shade AS ENUM ('light', 'dark');
CREATE FUNCTION kept.twice(x integer, "y z" text DEFAULT '') RETURNS integer LANGUAGE sql RETURN x * 2;
CREATE TABLE in_public (id integer);
"""
_NOT_HANDED_OVER = """
SELECT oid::regclass::text FROM pg_class WHERE pg_get_userbyid(relowner) = %(admin)s
   AND relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('kept', 'public'))
UNION ALL SELECT oid::regprocedure::text FROM pg_proc WHERE pg_get_userbyid(proowner) = %(admin)s
   AND pronamespace = 'kept'::regnamespace
UNION ALL SELECT oid::regtype::text FROM pg_type WHERE pg_get_userbyid(typowner) = %(admin)s
   AND typnamespace = 'kept'::regnamespace
UNION ALL SELECT nspname FROM pg_namespace WHERE pg_get_userbyid(nspowner) = %(admin)s AND nspname = 'kept'
"""


def test_the_role_that_the_product_works_as_runs_no_programs(postgres: RunningServer) -> None:
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        assert connection.execute(
            "SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone() == (
            OWNER,
            False,
        )
        for statement in (
            "COPY (SELECT 1) TO PROGRAM 'cat'",
            "COPY (SELECT 1) TO '/tmp/x'",
            "CREATE ROLE more SUPERUSER",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_a_database_of_an_earlier_version_is_handed_over_whole(home: Settings) -> None:
    with (
        use_server(home) as server,
        psycopg.connect(server.administrator_url("openfaith"), autocommit=True) as connection,
    ):
        connection.execute(_EARLIER)
    with use_server(home) as server, psycopg.connect(server.url(), autocommit=True) as connection:
        assert connection.execute(_NOT_HANDED_OVER, {"admin": ADMINISTRATOR}).fetchall() == []
        connection.execute('INSERT INTO kept."a Table" DEFAULT VALUES; REFRESH MATERIALIZED VIEW kept.stored')
        assert connection.execute("SELECT kept.twice(id::integer) FROM kept.stored").fetchone() == (2,)
        connection.execute("ALTER TABLE kept.parts ADD COLUMN more text; ALTER TABLE in_public ADD COLUMN more text")
        connection.execute("DROP SCHEMA kept CASCADE")


_OWNERS = """
SELECT DISTINCT pg_get_userbyid(relowner)::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""


def test_a_database_of_ones_own_is_handed_over_from_its_superuser(postgres: RunningServer, tmp_path: Path) -> None:
    with psycopg.connect(postgres.administrator_url(), autocommit=True) as administrator:
        administrator.execute(f"CREATE DATABASE of_superuser TEMPLATE template0 OWNER {ADMINISTRATOR}")
    try:
        settings = Settings(
            home=tmp_path,
            db_host="127.0.0.1",
            db_port=postgres.port,
            db_name="of_superuser",
            db_username=ADMINISTRATOR,
            db_password=postgres.password,
        )
        database = database_at(settings, configured_url(settings))
        upgrade(database)
        make_owner(database)
        ours = replace(database, url=postgres.url("of_superuser"))
        with ours.connect() as connection:
            assert connection.execute(_OWNERS).fetchall() == [(OWNER,)]
            connection.execute("ALTER TABLE sync.orgs ADD COLUMN more text")
        with pytest.raises(UsageError, match="not a superuser"):
            make_owner(ours)
    finally:
        with psycopg.connect(postgres.administrator_url(), autocommit=True) as administrator:
            administrator.execute("DROP DATABASE of_superuser WITH (FORCE)")
