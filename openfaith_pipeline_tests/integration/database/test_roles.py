"""Readers see the rows of their orgs, in every table and view there is, and nobody but the owner changes a table."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg import Connection, sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.access.logins import (
    align,
    list_readers,
    make_roles,
    put_reader,
    remove_reader,
    renew_password,
)
from openfaith_pipeline.database.access.names import READER, WRITER
from openfaith_pipeline.database.access.passwords import kept_password
from openfaith_pipeline.database.connection import configured_url, database_at, url_as
from openfaith_pipeline.database.migration import upgrade
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.errors import ConfigurationError, UsageError
from openfaith_pipeline.sources import STREAMS, VIEWS
from openfaith_pipeline_tests.conftest import fresh_database
from openfaith_pipeline_tests.integration.database.everything import GIFT, ORGS, fill
from openfaith_pipeline_tests.integration.raw_rows import put_row

AMBER, BIRCH = ORGS

_RELATIONS = """
SELECT n.nspname, c.relname, c.relkind::text,
    ARRAY(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0
        AND NOT a.attisdropped AND has_column_privilege(%(role)s, c.oid, a.attnum, 'SELECT')),
    has_table_privilege(%(role)s, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
        OR has_any_column_privilege(%(role)s, c.oid, 'INSERT, UPDATE, REFERENCES')
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1, 2
"""
_SECRET = (
    "source_connections",
    "connections",
    "source_webhook_subscriptions",
    "webhook_subscriptions",
    "oauth_journeys",
    "invitations",
    "readers",
)


class Roled(NamedTuple):
    """A database with rows of two orgs in every table, and these logins: name -> a connection."""

    database: Database
    tables: list[str]

    def connect(self, login: str) -> Connection[Any]:
        password = kept_password(self.database.settings, login)
        return replace(self.database, url=url_as(self.database.url, login, password)).connect(autocommit=True)


@pytest.fixture(scope="module")
def roled(postgres: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roled]:
    home = tmp_path_factory.mktemp("roles") / "home"
    with fresh_database(postgres, "roles", home) as settings:
        administrator = postgres.administrator_url("roles")
        database = database_at(settings, configured_url(settings), administrator)
        with database.connect() as connection:
            for org in ORGS:
                connection.execute("INSERT INTO sync.orgs (org_id, name) VALUES (%s, %s)", (org, f"Church of {org}"))
                connection.execute(
                    "INSERT INTO sync.stream_states (org_id, stream) VALUES (%s, 'people.emails')", (org,)
                )
            tables = fill(connection)
        assert make_roles(database) == []
        put_reader(database, "amber", [AMBER], sees_giving=True, sees_all=False)
        put_reader(database, "amber_no_giving", [AMBER], sees_giving=False, sees_all=False)
        put_reader(database, "all_of_them", [], sees_giving=True, sees_all=True)
        renew_password(database, READER)  # another test of this process may have made it, in another home
        yield Roled(database, tables)
        with psycopg.connect(administrator, autocommit=True) as connection:
            connection.execute("DROP ROLE amber, amber_no_giving, all_of_them")


def _relations(roled: Roled, role: str) -> list[tuple[str, str, str, list[str], bool]]:
    with roled.database.connect() as connection:
        return connection.execute(_RELATIONS, {"role": role}).fetchall()


def _seen(roled: Roled, login: str) -> dict[str, str]:
    """Everything that the login can read of our schemas, by relation, as JSON."""
    found = {}
    with roled.connect(login) as connection:
        for schema, name, _, columns, _ in _relations(roled, login):
            if columns and connection.execute("SELECT has_schema_privilege(%s, 'USAGE')", (schema,)).fetchone() == (
                True,
            ):
                listed = sql.SQL(", ").join(map(sql.Identifier, columns))
                query = sql.SQL("SELECT json_agg(t)::text FROM (SELECT {} FROM {}) AS t").format(
                    listed, sql.Identifier(schema, name)
                )
                row = connection.execute(query).fetchone()
                found[f"{schema}.{name}"] = (row[0] if row else None) or ""
    return found


@pytest.mark.parametrize("login", ["amber", "amber_no_giving"])
def test_no_row_of_another_org_is_seen_in_any_table_or_view(roled: Roled, login: str) -> None:
    seen = _seen(roled, login)

    assert [name for name, rows in seen.items() if BIRCH in rows] == []
    assert len(seen) > 100
    raw = {name for name in roled.tables if name.startswith("pco_") and not name.startswith("pco_giving.")}
    assert [name for name in raw if AMBER not in seen[name]] == []
    assert AMBER in seen["openfaith.churches"]
    assert AMBER in seen["openfaith.stream_freshness"]


def test_a_reader_sees_all_tables_and_views_with_its_own_rows(roled: Roled) -> None:
    seen = _seen(roled, "amber")

    assert [name for name in roled.tables if AMBER not in seen[name]] == []
    assert {f"openfaith.{name}" for name in VIEWS} <= seen.keys()
    assert [
        name for name in ("people_with_contacts", "giving_by_fund_month") if AMBER not in seen[f"openfaith.{name}"]
    ] == []


def test_without_giving_no_gift_is_seen_anywhere(roled: Roled) -> None:
    with_gifts = {name for name, rows in _seen(roled, "amber").items() if "424242" in rows}
    assert {
        "pco_giving.donations",
        "public.openfaith_donations",
        "public.openfaith_people",
        "sync.journal",
    } <= with_gifts
    assert {"public.openfaith_edges", "public.openfaith_externalLinks", "public.openfaith_folders"} <= with_gifts
    assert "openfaith.giving_by_fund_month" in with_gifts

    seen = _seen(roled, "amber_no_giving")

    assert [name for name, rows in seen.items() if "424242" in rows] == []
    for name in (
        "public.openfaith_edges",
        "public.openfaith_externalLinks",
        "public.openfaith_folders",
        "sync.journal",
    ):
        assert AMBER in seen[name], "what is not a gift is seen"
    giving = {stream.raw_table for stream in STREAMS.values() if stream.product.holds_gifts}
    assert seen.keys() & giving == {"pco_giving.organization"}
    with roled.connect("amber_no_giving") as connection:
        for relation in ("pco_giving.organization", "public.openfaith_donations", "openfaith.giving_by_person_year"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(*relation.split("."))))
        rows = connection.execute("SELECT org_id FROM openfaith.people_with_contacts").fetchall()
        assert {*rows} == {(AMBER,)}, "the other views work"


def test_all_orgs_are_seen_by_a_reader_who_was_granted_them(roled: Roled) -> None:
    seen = _seen(roled, "all_of_them")
    assert [name for name in roled.tables if not (AMBER in seen[name] and BIRCH in seen[name])] == []


@pytest.mark.parametrize("login", ["amber", "amber_no_giving", READER, "all_of_them"])
def test_readers_write_nothing_and_read_no_secret(roled: Roled, login: str) -> None:
    relations = _relations(roled, login)

    assert [f"{schema}.{name}" for schema, name, _, _, may_write in relations if may_write] == []
    readable = {f"{schema}.{name}" for schema, name, _, columns, _ in relations if columns}
    assert {name for name in readable if name.startswith(("sync.", "staging.", "dagster."))} == {
        "sync.orgs",
        "sync.journal",
        "sync.rollbacks",
        "sync.stream_states",
    }
    with roled.connect(login) as connection:
        for name in _SECRET:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier("sync", name)))
        for statement in (
            "DELETE FROM pco_people.emails",
            "INSERT INTO sync.reader_orgs VALUES (session_user, 'org_birch')",
            "CREATE TABLE public.mine (id int)",
            "CREATE SCHEMA mine",
            f"SET ROLE {WRITER}",
            "SET ROLE openfaith_owner",
            "SET SESSION AUTHORIZATION openfaith_owner",
            "COPY (SELECT 1) TO PROGRAM 'cat'",
            "ALTER TABLE pco_people.emails DISABLE ROW LEVEL SECURITY",
            "SELECT * FROM sync.journal_default",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)  # type: ignore[arg-type]


def test_no_setting_of_a_session_opens_the_wall(roled: Roled) -> None:
    with roled.connect("amber") as connection:
        for statement in (
            f"SET ROLE {READER}",
            "RESET ROLE",
            "SET search_path = pg_temp, public",
            "SET openfaith.org = 'x'",
        ):
            connection.execute(statement)  # type: ignore[arg-type]
            assert connection.execute("SELECT DISTINCT org_id FROM pco_people.people").fetchall() == [(AMBER,)]
        connection.execute("SET row_security = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            connection.execute("SELECT * FROM pco_people.people")


def test_a_reader_without_orgs_sees_no_row(roled: Roled) -> None:
    assert {name for name, rows in _seen(roled, READER).items() if rows} == set()


def test_orgs_of_a_reader_are_set_and_not_added_to(roled: Roled) -> None:
    def seen() -> list[tuple[str]]:
        with roled.connect("passing") as connection:
            return connection.execute("SELECT org_id FROM openfaith.churches").fetchall()

    put_reader(roled.database, "passing", [AMBER], sees_giving=True, sees_all=False)
    assert seen() == [(AMBER,)]
    put_reader(roled.database, "passing", [BIRCH], sees_giving=False, sees_all=False)
    assert seen() == [(BIRCH,)]
    with roled.connect("passing") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT * FROM pco_giving.donations")
    before = kept_password(roled.database.settings, "passing")
    renew_password(roled.database, "passing")
    with pytest.raises(ConfigurationError, match="authentication failed"):
        replace(roled.database, url=url_as(roled.database.url, "passing", before)).connect()
    assert seen() == [(BIRCH,)]
    remove_reader(roled.database, "passing")
    assert "passing" not in {reader.login for reader in list_readers(roled.database)}
    with pytest.raises(UsageError, match="not kept"):
        kept_password(roled.database.settings, "passing")


def test_a_reader_with_rights_given_by_hand_is_not_removed_before_they_are(
    roled: Roled, postgres: RunningServer
) -> None:
    put_reader(roled.database, "granted", [AMBER], sees_giving=True, sees_all=False)
    with psycopg.connect(postgres.administrator_url("roles"), autocommit=True) as connection:
        connection.execute("GRANT SELECT ON pco_people.people TO granted")
        connection.execute("CREATE VIEW public.theirs AS SELECT 1; ALTER VIEW public.theirs OWNER TO granted")
        with pytest.raises(UsageError) as refused:
            remove_reader(roled.database, "granted")
        assert "privileges for table pco_people.people" in str(refused.value)
        assert "owner of view theirs" in str(refused.value)
        with roled.connect("granted") as theirs:
            assert theirs.execute("SELECT org_id FROM openfaith.churches").fetchall() == [(AMBER,)]

        [(remedy, _)] = re.findall(r"(REASSIGN OWNED .*; DROP OWNED .*?;)( in each)", str(refused.value))
        connection.execute(remedy)
        connection.execute("DROP VIEW public.theirs")
    remove_reader(roled.database, "granted")
    assert "granted" not in {reader.login for reader in list_readers(roled.database)}


def test_passwords_are_for_this_user_alone(roled: Roled) -> None:
    files = [*Path(roled.database.settings.home, "roles").iterdir()]
    assert files
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_a_role_that_is_no_reader_of_ours_is_not_made_one(roled: Roled) -> None:
    for name in ("openfaith_owner", "openfaith", WRITER, "Odd Name", "pg_monitor"):
        with pytest.raises(UsageError):
            put_reader(roled.database, name, [AMBER], sees_giving=True, sees_all=False)


def test_the_error_of_an_owner_who_may_not_make_roles_names_the_remedy(roled: Roled) -> None:
    alone = replace(roled.database, administrator_url=None)
    with pytest.raises(ConfigurationError, match="CREATEROLE"):
        put_reader(alone, "another", [AMBER], sees_giving=True, sees_all=False)


def test_a_table_made_later_has_its_wall_at_once(roled: Roled) -> None:
    with roled.database.connect() as connection:
        connection.execute("DROP TABLE pco_people.emails CASCADE")
        connection.execute("DROP VIEW openfaith.households CASCADE")
    upgrade(roled.database)
    with roled.database.connect() as connection:
        for org in ORGS:
            put_row(connection, "people.emails", org, "1")
    with roled.connect("amber") as connection:
        assert connection.execute("SELECT org_id FROM pco_people.emails").fetchall() == [(AMBER,)]
        connection.execute("SELECT * FROM openfaith.households")


def test_aligning_again_changes_nothing(roled: Roled) -> None:
    read = "SELECT xmin::text, oid FROM pg_policy UNION ALL SELECT xmin::text, oid FROM pg_class ORDER BY 1, 2"
    with roled.database.connect() as connection:
        before = connection.execute(read).fetchall()
        align(roled.database)
        assert connection.execute(read).fetchall() == before


def test_other_roles_keep_their_grants(roled: Roled, postgres: RunningServer) -> None:
    with psycopg.connect(postgres.administrator_url("roles"), autocommit=True) as connection:
        connection.execute("CREATE ROLE of_openfaith LOGIN PASSWORD 'planted'")
        try:
            connection.execute("GRANT SELECT, UPDATE ON public.openfaith_groups, pco_people.people TO of_openfaith")
            connection.execute("GRANT USAGE ON SCHEMA pco_people TO of_openfaith")
            connection.execute("GRANT SELECT ON pco_people.tabs TO PUBLIC")
            refused = align(roled.database)
            assert [line.partition(":")[0] for line in sorted(refused)] == [
                "pco_people.tabs",
                "public.openfaith_groups",
            ]
            url = url_as(roled.database.url, "of_openfaith", "planted")
            with replace(roled.database, url=url).connect() as theirs:
                for table in ("public.openfaith_groups", "pco_people.people"):
                    count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*table.split(".")))
                    assert theirs.execute(count).fetchone() == (2,)
            with roled.connect("amber") as ours:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    ours.execute("SELECT * FROM public.openfaith_groups")
                assert ours.execute("SELECT DISTINCT org_id FROM pco_people.people").fetchall() == [(AMBER,)]
        finally:
            connection.execute("REVOKE SELECT ON pco_people.tabs FROM PUBLIC")
            connection.execute("DROP OWNED BY of_openfaith; DROP ROLE of_openfaith")
    assert align(roled.database) == []
    assert AMBER in _seen(roled, "amber")["public.openfaith_groups"]


def test_a_reader_that_is_granted_a_table_by_hand_sees_no_more_rows_after_an_upgrade(roled: Roled) -> None:
    with roled.database.connect(autocommit=True) as connection:
        connection.execute("GRANT SELECT ON pco_people.people, public.openfaith_people TO amber")
        try:
            assert align(roled.database) == []
            seen = _seen(roled, "amber")
        finally:
            connection.execute("REVOKE SELECT ON pco_people.people, public.openfaith_people FROM amber")
    assert (AMBER in seen["pco_people.people"], BIRCH in seen["pco_people.people"]) == (True, False)
    assert (AMBER in seen["public.openfaith_people"], BIRCH in seen["public.openfaith_people"]) == (True, False)


_PLAN = "EXPLAIN (ANALYZE, FORMAT JSON) SELECT count(*) FROM pco_people.phone_numbers"


def test_the_orgs_are_looked_up_once_a_query_and_found_by_an_index(roled: Roled) -> None:
    """A hundred orgs with a hundred rows each; the reader's are one in a hundred."""
    with roled.database.connect(autocommit=True) as connection:
        connection.execute(
            "INSERT INTO pco_people.phone_numbers (org_id, id, _content_hash, _first_seen_at, _synced_at, _sync_id)"
            " SELECT CASE o WHEN 1 THEN 'org_amber' ELSE 'org_' || o END, 'p' || n, '', now(), now(), 's'"
            " FROM generate_series(1, 100) AS o, generate_series(1, 100) AS n"
        )
        connection.execute("ANALYZE pco_people.phone_numbers")
    with roled.connect("amber") as connection:
        ((plan,),) = connection.execute(_PLAN).fetchall()
    nodes = [*_nodes(plan[0]["Plan"])]
    assert [node["Actual Loops"] for node in nodes if node.get("Parent Relationship") == "InitPlan"] == [1]
    assert any("Index" in node["Node Type"] for node in nodes), nodes
    assert not any(node["Node Type"] == "Seq Scan" for node in nodes)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def test_gifts_are_marked_in_this_test(roled: Roled) -> None:
    assert GIFT in _seen(roled, "amber")["public.openfaith_people"]
