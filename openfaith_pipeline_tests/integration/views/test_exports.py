"""Exports of the synced churches: by marks, without deleted rows, by readers; and the dbt project of their database."""

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import psycopg
import pytest
import yaml
from psycopg import sql

from openfaith_pipeline.catalog.words import Mark
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.access.logins import make_roles, put_reader
from openfaith_pipeline.database.access.passwords import kept_password
from openfaith_pipeline.database.connection import url_as
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.errors import UnknownOrg, UsageError
from openfaith_pipeline.export.dbt_project import write_dbt_project
from openfaith_pipeline.export.directory import FileFormat
from openfaith_pipeline.export.orgs import chosen_orgs
from openfaith_pipeline.export.relations import Relation, all_relations
from openfaith_pipeline.export.run import Exported, export_files
from openfaith_pipeline.export.selection import select
from openfaith_pipeline.export.tables import Wanted
from openfaith_pipeline.sources import QUESTIONS, VIEWS
from openfaith_pipeline_tests.integration.export.tables import Silent
from openfaith_pipeline_tests.integration.views.conftest import Synced

EVERY_MARK = frozenset(Mark)
GIVEN = re.compile(r"giving|donation|pledge|refund|designation")


def export(
    database: Database,
    root: Path,
    *names: str,
    orgs: tuple[str, ...] = (),
    without: frozenset[Mark] = frozenset(),
    with_deleted: bool = False,
) -> Exported:
    with database.connect() as connection:
        chosen = chosen_orgs(connection, orgs)
    wanted = Wanted(select(database.settings, names), chosen, without, with_deleted)
    return export_files(database, wanted, root, "csv", Silent())


def rows_of(root: Path, name: str) -> list[dict[str, str]]:
    schema, _, table = name.partition(".")
    with (root / schema / f"{table}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def texts(root: Path) -> Iterator[str]:
    return (path.read_text() for path in root.rglob("*.csv"))


PEOPLES = {
    "pco_people.people": ("name", "first_name"),
    "pco_people.emails": ("address",),
    "pco_people.phone_numbers": ("e164",),
    "pco_people.addresses": ("street_line_1",),
    "pco_people.households": ("name",),
}
"""Columns with values that are nowhere but where a person's are meant."""


def _of_people(synced: Synced, *, without: tuple[str, ...] = ()) -> set[str]:
    relations = all_relations(synced.database.settings)
    with synced.database.connect() as connection:
        return {
            value
            for name, columns in PEOPLES.items()
            for column in columns
            if column not in without
            for value in _values(connection, relations[name], column)
        }


def test_without_the_marks_no_personal_data_is_in_any_file(synced: Synced, tmp_path: Path) -> None:
    everything = export(synced.database, tmp_path / "all", "all")
    # The simulator's churches have phones too, and things of theirs may have a first name in their title.
    of_people = re.compile("|".join(map(re.escape, _of_people(synced, without=("e164", "first_name")))))
    assert any(of_people.search(text) for text in texts(tmp_path / "all"))
    assert everything.skipped == {}

    done = export(synced.database, tmp_path / "bare", "all", without=EVERY_MARK)

    assert [found[0] for text in texts(tmp_path / "bare") if (found := of_people.search(text))] == []
    assert done.rows.keys() < everything.rows.keys()
    assert done.rows["openfaith.people_with_contacts"] == everything.rows["openfaith.people_with_contacts"]
    assert {name.partition(".")[0] for name in done.skipped} == {"questions"}
    assert "questions.attendance_by_week" in done.rows
    assert "amount_cents" not in rows_of(tmp_path / "bare", "pco_giving.donations")[0]
    assert "customFields" in (tmp_path / "all/public/openfaith_people.csv").read_text()
    assert "customFields" not in (tmp_path / "bare/public/openfaith_people.csv").read_text()


def test_no_value_of_a_person_is_in_a_column_of_a_view_that_has_no_mark(synced: Synced) -> None:
    relations, values = all_relations(synced.database.settings), _of_people(synced)
    assert len(values) > 100
    with synced.database.connect() as connection:
        for view in VIEWS.values():
            for column, words in view.words.items():
                shown = _values(connection, relations[f"openfaith.{view.name}"], column)
                assert words.mark or values & shown == set(), (view.name, column)


def _values(connection: psycopg.Connection[Any], relation: Relation, column: str) -> set[str]:
    query = sql.SQL("SELECT DISTINCT {}::text FROM {}").format(sql.Identifier(column), relation.identifier)
    return {value for (value,) in connection.execute(query).fetchall() if value}


def test_deleted_rows_are_left_out_unless_they_are_wanted(synced: Synced, tmp_path: Path) -> None:
    name = "pco_people.list_results"
    export(synced.database, tmp_path / "live", "people.list_results", orgs=(synced.orgs[0],))
    export(synced.database, tmp_path / "whole", "people.list_results", orgs=(synced.orgs[0],), with_deleted=True)

    live, whole = rows_of(tmp_path / "live", name), rows_of(tmp_path / "whole", name)
    assert {row["id"] for row in whole} - {row["id"] for row in live} == {"985"}
    assert {row["id"]: row["_deleted_at"] != "" for row in whole} == {row["id"]: row["id"] == "985" for row in whole}
    assert {row["org_id"] for row in whole} == {synced.orgs[0]}


def test_answers_are_those_of_each_church(synced: Synced, tmp_path: Path) -> None:
    done = export(synced.database, tmp_path / "out", "questions")

    assert len(done.rows) == len(QUESTIONS)
    rows = rows_of(tmp_path / "out", "questions.attendance_by_week")
    assert {row["org_id"] for row in rows} == {*synced.orgs}
    weeks = [row["week_begins_on"] for row in rows if row["org_id"] == synced.orgs[0]]
    assert weeks == sorted(weeks, reverse=True)
    assert len(weeks) == 8


@pytest.fixture
def reader(synced: Synced, postgres: RunningServer) -> Iterator[Database]:
    """As a login that sees the first church and nothing of its giving."""
    administrator = postgres.administrator_url("views")
    owner = replace(synced.database, administrator_url=administrator)
    make_roles(owner)
    put_reader(owner, "exporter_no_giving", [synced.orgs[0]], sees_giving=False, sees_all=False)
    password = kept_password(owner.settings, "exporter_no_giving")
    yield replace(owner, url=url_as(owner.url, "exporter_no_giving", password))
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute("DROP ROLE exporter_no_giving")


def test_a_reader_exports_the_rows_it_sees_and_the_rest_is_reported(
    synced: Synced, reader: Database, tmp_path: Path
) -> None:
    done = export(reader, tmp_path / "out", "all")

    mine, other = synced.orgs
    assert [text for text in texts(tmp_path / "out") if other in text] == []
    assert {row["org_id"] for row in rows_of(tmp_path / "out", "openfaith.people_with_contacts")} == {mine}
    assert {row["org_id"] for row in rows_of(tmp_path / "out", "openfaith.stream_freshness")} == {mine}
    assert {
        "openfaith.giving_by_person_year",
        "pco_giving.donations",
        "public.openfaith_donations",
    } <= done.skipped.keys()
    assert [name for name in done.skipped if not GIVEN.search(name)] == [
        name for name in done.skipped if name.startswith(("public.", "questions.")) and not GIVEN.search(name)
    ]
    for names, said in (
        (("giving.donations",), "may not read"),
        (("questions.giving_by_fund_by_month",), "may not read"),
    ):
        with pytest.raises(UsageError, match=said):
            export(reader, tmp_path / "refused", *names)
    with pytest.raises(UnknownOrg):
        export(reader, tmp_path / "refused", "views", orgs=(other,))


def test_names_that_are_not_there_are_refused_with_those_that_are(synced: Synced, tmp_path: Path) -> None:
    for name, hint in (("peple.emails", "people.emails"), ("household", "households"), ("nothing", "export list")):
        with pytest.raises(UsageError, match=hint):
            export(synced.database, tmp_path / "out", name)
    assert get_args(FileFormat) == ("csv", "parquet")


def test_the_dbt_project_fits_the_database(synced: Synced, tmp_path: Path) -> None:
    settings = synced.database.settings
    relations = select(settings, ["all"]).relations
    write_dbt_project(tmp_path / "dbt", relations, settings)

    sources = [
        source
        for path in (tmp_path / "dbt/models/sources").glob("*.yml")
        for source in yaml.safe_load(path.read_text())["sources"]
    ]
    tables = {f"{source['schema']}.{table['name']}": table for source in sources for table in source["tables"]}
    assert tables.keys() == all_relations(settings).keys()
    with synced.database.connect() as connection:
        for name, table in tables.items():
            for tested in table["data_tests"]:
                _check_test(connection, name, tested, tables)
            if query := table.get("config", {}).get("loaded_at_query"):
                assert connection.execute(query).fetchone() is not None
    marks = {column["name"]: column.get("config", {}).get("meta") for column in tables["pco_people.people"]["columns"]}
    assert marks["birthdate"] == {"mark": "personal", "contains_pii": True}
    assert marks["medical_notes"] == {"mark": "health", "contains_pii": True}
    assert marks["site_administrator"] is None
    columns = [column for table in tables.values() for column in table["columns"]]
    assert {column["name"] for column in columns if column["name"] == "orgId" and not column.get("quote")} == set()


def _check_test(connection: psycopg.Connection[Any], name: str, tested: Any, tables: Any) -> None:
    """Its SQL is right, as dbt would put it together; keys are unique."""
    [(kind, test)] = tested.items()
    asked = test["arguments"]
    query = f"SELECT {asked['column_name']} AS value FROM {_quoted(name)}"  # noqa: S608
    if kind == "unique":
        doubled = f"SELECT value FROM ({query}) AS t GROUP BY value HAVING count(*) > 1"  # noqa: S608
        assert connection.execute(doubled).fetchall() == [], name  # type: ignore[arg-type]
        return
    target = ".".join(re.findall(r"'([^']+)'", asked["to"]))
    assert target in tables
    there = f"SELECT {asked['field']} FROM {_quoted(target)}"  # noqa: S608
    connection.execute(f"{query} EXCEPT {there} LIMIT 1")  # type: ignore[arg-type]


def _quoted(name: str) -> str:
    schema, _, table = name.partition(".")
    return f'"{schema}"."{table}"'


def test_a_part_of_the_dbt_project_refers_to_nothing_outside_and_keeps_files_of_others(
    synced: Synced, tmp_path: Path
) -> None:
    settings, root = synced.database.settings, tmp_path / "dbt"
    write_dbt_project(root, select(settings, ["all"]).relations, settings)
    (root / "models/mine.sql").write_text("select 1")
    (root / "dbt_project.yml").write_text((root / "dbt_project.yml").read_text() + "vars: {mine: 1}\n")

    write_dbt_project(root, select(settings, ["groups", "views"]).relations, settings)

    assert {path.name for path in (root / "models/sources").iterdir()} == {"pco_groups.yml", "openfaith.yml"}
    text = (root / "models/sources/pco_groups.yml").read_text()
    assert "source('pco_groups', 'groups')" in text
    assert "source('pco_people'" not in text
    assert (root / "models/mine.sql").exists()
    assert "mine: 1" in (root / "dbt_project.yml").read_text()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").write_text("")
    with pytest.raises(UsageError, match="not a dbt project"):
        write_dbt_project(tmp_path / "other", [], settings)
