"""`export`, from the outside."""

import csv
import json
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.access.logins import make_roles, put_reader
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline_tests.integration.raw_rows import put_row
from openfaith_pipeline_tests.verbs import Verbs

pytestmark = pytest.mark.slow

LOGIN = "verb_exporter"


def test_tables_are_exported_for_a_church_by_its_name(
    verb: Verbs, connected: str, database: Database, tmp_path: Path
) -> None:
    with database.connect() as connection:
        put_row(connection, "people.people", connected, "7", first_name="Ann", medical_notes="nuts")
        put_row(connection, "people.people", "org_other", "8", first_name="Bo")
    out = tmp_path / "out"

    done = verb(
        "export",
        "csv",
        str(out),
        "people",
        "questions",
        "--org",
        "cedar hollow chapel",
        "--without",
        "health",
        "--json",
    )

    assert done.code == 0, done.err
    assert done.document["rows"]["pco_people.people"] == 1
    assert done.document["left_out"]["pco_people.people"] == ["medical_notes", "_extra", "_content_hash"]
    with (out / "pco_people/people.csv").open(newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["id"], row["first_name"]) == ("7", "Ann")
    assert json.loads((out / "openfaith-export.json").read_text())["orgs"] == [connected]
    again = verb("export", "csv", str(out))
    assert (again.code, "wrote" in again.out, (out / "pco_people/people.csv").exists()) == (0, True, False)

    for arguments, said in (
        (("parquet", str(out)), "has an export of csv"),
        (("csv", str(tmp_path / "x"), "peple.people"), "did you mean people.people"),
        (("csv", str(tmp_path / "x"), "--org", "Nowhere"), "no org 'Nowhere'"),
        (("csv", str(tmp_path / "x"), "--without", "shoes"), "shoes"),
        (("dbt", str(out)), "not a dbt project"),
    ):
        refused = verb("export", *arguments)
        assert (refused.code, said in refused.err) == (2, True), refused.err
    assert not (tmp_path / "x").exists()


@pytest.fixture
def owner(database: Database, postgres: RunningServer) -> Iterator[Database]:
    """The owner, who may make logins of the server here."""
    administrator = postgres.administrator_url(str(database.settings.db_name))
    owner = replace(database, administrator_url=administrator)
    make_roles(owner)
    put_reader(owner, LOGIN, [], sees_giving=True, sees_all=False)
    yield owner
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(LOGIN)))


def test_a_reader_exports_its_church_and_one_of_none_gets_the_reason(
    verb: Verbs, connected: str, owner: Database, tmp_path: Path
) -> None:
    refused = verb("export", "csv", str(tmp_path / "out"), "--role", LOGIN)
    assert (refused.code, "db roles list" in refused.err) == (2, True), refused.err

    put_reader(owner, LOGIN, [connected], sees_giving=True, sees_all=False)
    done = verb("export", "csv", str(tmp_path / "out"), "--role", LOGIN)
    assert done.code == 0, done.err
    printed = verb("db", "url", "--role", LOGIN, "--env").out
    variables = dict(shlex.split(line)[1].split("=", 1) for line in printed.splitlines())
    assert (variables["PGUSER"], variables["PGPASSWORD"]) == (LOGIN, variables["DBT_ENV_SECRET_PGPASSWORD"])
    as_reader = {
        "DB_USERNAME": variables["PGUSER"],
        "DB_PASSWORD": variables["PGPASSWORD"],
        "DB_HOST_PRIMARY": variables["PGHOST"],
        "DB_PORT": variables["PGPORT"],
    }
    alone = verb("export", "csv", str(tmp_path / "alone"), "--json", **as_reader)
    assert (alone.code, alone.document["rows"]["openfaith.churches"]) == (0, 1), alone.err


def test_exportable_tables_are_listed_and_described_without_a_database(verb: Verbs, tmp_path: Path) -> None:
    nowhere = {"DB_PORT": "1"}
    listed = verb("export", "list", "--json", **nowhere).document
    assert {"people.emails", "openfaith.households", "public.openfaith_people"} <= {each["name"] for each in listed}
    assert {each["group"] for each in listed} == {"raw", "canonical", "views", "questions"}
    made = verb("export", "dbt", str(tmp_path / "dbt"), "views", "--json", **nowhere)
    assert (made.code, made.document["sources"]) == (0, 12), made.err
    assert (tmp_path / "dbt/models/sources/openfaith.yml").exists()
