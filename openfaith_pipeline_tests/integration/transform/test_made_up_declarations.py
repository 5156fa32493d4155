"""An entity, a folder, an edge and a field each touch one declaration: all that follows from it is there."""

import inspect
import json
import subprocess
import sys
from typing import Any

import pytest

from openfaith_pipeline.canonical.model import Declaration
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.settings import environment_with
from openfaith_pipeline_tests.conftest import environment_of, fresh_database
from openfaith_pipeline_tests.integration.transform import made_up

LONGEST = 12
ROUNDS = 12


@pytest.fixture(scope="module")
def report(postgres: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    command = [sys.executable, "-m", made_up.__name__, str(ROUNDS)]
    with fresh_database(postgres, "made_up", tmp_path_factory.mktemp("made_up") / "home") as settings:
        environment = environment_with(**environment_of(settings))
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_each_touches_one_declaration(report: dict[str, Any]) -> None:
    rows = report["rows"]
    links = {(link["entityType"], link["externalId"]): link["entityId"] for link in rows["externalLinks"]}
    # The entity: its table with comments, rows, links, a reference and an edge of its own relationship.
    households = {row["externalIds"][0]["id"]: row for row in rows["households"]}
    assert set(households) == {"1", "2", "3", "4"}
    assert all(row["id"] == links["household", key] for key, row in households.items())
    named = {row["primaryContactId"] for row in households.values()} - {None}
    assert named and named <= set(links.values())
    name = "Name of the household, usually a family name; from `name`, else '' [personal]"
    assert report["comments"] == [[name], ["id of the entity that `primary_contact` names"]]
    assert any(edge["relationshipType"] == "household_primary_contact_person" for edge in rows["edges"])
    # The folders: two types with the same id stay two, and one is in the other.
    folders = {(row["folderType"], row["externalIds"][0]["id"]): row for row in rows["folders"]}
    assert len(folders) == 6
    assert folders["pco_list", "1"]["id"] != folders["pco_list_category", "1"]["id"]
    assert links["folder", "people.lists:1"] == folders["pco_list", "1"]["id"]
    parents = {row["parentFolderId"] for row in folders.values()} - {None}
    assert parents and parents <= {entity for (_, key), entity in links.items() if key.startswith("people.list_cat")}
    # The edge: the record's attributes are its metadata, and several records are one edge.
    memberships = [
        edge for edge in rows["edges"] if edge["relationshipType"] == "household_household_membership_person"
    ]
    assert memberships and all(edge["metadata"]["relationshipKey"] == "household_membership" for edge in memberships)
    assert {"adult", "child"} & {edge["metadata"].get("role") for edge in memberships}
    given = [edge["metadata"] for edge in rows["edges"] if edge["relationshipType"] == "donation_has_fund"]
    several = [metadata for metadata in given if "records" in metadata]
    assert several and all(len(metadata["records"]) > 1 for metadata in several)
    assert all(metadata["recordId"] == metadata["records"][-1]["recordId"] for metadata in several)
    # The fields: named by a person, belonging to a donation, listed by a donation, and on an edge.
    assert "pco_marital_status" in items(rows["people"])
    assert {"pco_labels", "pco_note"} <= items(rows["donations"])
    records = [record for metadata in given for record in metadata.get("records", [metadata])]
    assert any("refundedCents" in record for record in records)
    # A person of giving is the person.
    assert any(edge["relationshipType"] == "donation_has_person" for edge in rows["edges"])
    assert {edge["targetEntityTypeTag"] for edge in rows["edges"]} <= {"person", "fund", "campus", "folder"}
    assert {"people.marital_statuses", "people.people"} <= set(report["sources"]["people"])
    assert "giving.designation_refunds" in report["sources"]["edges"]
    assert "| Household | `pco_people.households` | a row of `openfaith_households` |" in report["types"]
    assert "| `pco_giving.donations` | `person` | donation and person |" in report["edges"]


def test_following_the_changes_misses_nothing(report: dict[str, Any]) -> None:
    assert all(written == [0, 0] for written in report["again"].values())
    assert report["missed"] == [{}] * ROUNDS


def items(rows: list[dict[str, Any]]) -> set[str]:
    return {item["name"] for row in rows for item in row["customFields"]}


def test_each_declaration_is_short() -> None:
    lines = inspect.getsource(made_up).splitlines()
    starts = [number for number, line in enumerate(lines) if line[:1].isupper() and "(" in line]
    assert len(starts) >= len([value for value in vars(made_up).values() if isinstance(value, Declaration)]) - 4
    for start in starts:
        end = start if lines[start].endswith(")") else next(n for n in range(start, len(lines)) if lines[n] == ")")
        assert end - start < LONGEST, lines[start]
