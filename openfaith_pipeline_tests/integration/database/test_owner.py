"""Nobody works in the embedded Postgres as its superuser."""

import psycopg
import pytest

from openfaith_pipeline.database.owner import ADMINISTRATOR, OWNER
from openfaith_pipeline.database.server import RunningServer, use_server
from openfaith_pipeline.settings import Settings

# What an earlier version left: everything belongs to the superuser that made the cluster.
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
