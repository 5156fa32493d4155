"""Two sources of one church make rows of the same tables, and neither touches the other's."""

import json
import subprocess
import sys
from typing import Any

import pytest

from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.settings import environment_with
from openfaith_pipeline_tests.conftest import environment_of, fresh_database
from openfaith_pipeline_tests.integration.transform import second_source

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def report(postgres: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("second_source") / "home"
    with fresh_database(postgres, "second_source", home) as settings:
        environment = environment_with(**environment_of(settings))
        command = [sys.executable, "-m", second_source.__name__]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_second_sources_records_are_rows_of_their_own(report: dict[str, Any]) -> None:
    before, after = report["before"], report["after"]
    assert all(row in after[table] for table in before for row in before[table]), "not a row of the first is written"
    people = {(row["externalIds"][0]["type"], row["externalIds"][0]["id"]): row for row in after["people"]}
    assert people.keys() == {(adapter, number) for adapter in ("pco", "flock") for number in "123"}
    assert people["flock", "1"]["customFields"] == [
        {"_tag": "string", "name": "flock_crook", "source": "flock", "value": "oak"}
    ]
    links = {(row["adapter"], row["entityType"], row["externalId"]): row["entityId"] for row in after["externalLinks"]}
    assert links["pco", "person", "1"] != links["flock", "person", "1"] == people["flock", "1"]["id"]
    assert ("flock", "folder", "pens.flocks:1") in links
    assert {row["folderType"] for row in after["folders"]} == {"flock_list"}
    assert sorted(row["metadata"]["source"] for row in after["edges"]) == ["flock_direct"] * 3 + ["pco_direct"] * 3


def test_nothing_is_written_again_and_nothing_is_found_wrong(report: dict[str, Any]) -> None:
    assert report["again"] == [{}, {}, {}]
    assert report["audit"] == {"failed": [], "dead_ends": []}


def test_each_source_deletes_its_own(report: dict[str, Any]) -> None:
    gone, moved = report["deleted"]["gone"], report["deleted"]["moved"]
    assert gone == {"people": [0, 1, 0], "externalLinks": [0, 1, 0], "edges": [0, 1, 0]}
    assert ended(report["deleted"]["rows"]) == [("edges", "flock"), ("externalLinks", "flock"), ("people", "flock")]
    assert moved == {"edges": [1, 1, 0]}
    assert ("edges", "pco") in ended(report["deleted"]["moved_rows"])


def ended(rows: dict[str, Rows]) -> list[tuple[str, str]]:
    return sorted((table, row["deletedBy"]) for table in rows for row in rows[table] if row.get("deletedBy"))


def test_a_conflict_is_about_the_row_of_the_source_that_changed(report: dict[str, Any]) -> None:
    first, second = report["conflicts"]["people"]
    assert report["conflicts"]["edits"] == [first, second]
    assert report["conflicts"]["waiting"] == [[second, "Edited", "Amos"]]


def test_a_person_of_both_sources_has_the_values_of_the_first_declared(report: dict[str, Any]) -> None:
    shared = report["shared"]
    assert shared["changed"] == [{"people": [0, 1, 0], "externalLinks": [0, 2, 0]}, {}], "the two do not take turns"
    assert shared["row"]["firstName"] == "of people.people"
    assert {each["type"] for each in shared["row"]["externalIds"]} == {"pco", "flock"}
    assert {each["metadata"]["source"] for each in shared["edges"]} == {"pco_direct", "flock_direct"}
    assert shared["again"] == [{}, {}]
    assert shared["audit"] == {"failed": ["people no_conflict_waits {'waiting': 1}"], "dead_ends": []}


def test_a_rollback_of_the_one_leaves_the_others_rows(report: dict[str, Any]) -> None:
    before, after = ({row["id"]: row for row in report["rolled_back"][name]} for name in ("before", "after"))
    [id] = [id for id, row in after.items() if row != before[id]]
    assert (before[id]["name"], after[id]["name"]) == ("Renamed by pens.folds", "Fold 2")
    assert "Renamed by people.campuses" in {row["name"] for row in after.values()}
    assert report["rolled_back"]["rows"] == 2, "the row and its link"


def test_a_person_is_erased_at_the_sources_of_that_person_alone(report: dict[str, Any]) -> None:
    erased = report["erased"]
    assert erased["refusal"] == "pco, flock each have a person '1'; give the person's id in OpenFaith"
    assert erased["one"]["flock_pens.shepherds"] == erased["one"]["openfaith_people"] == 1
    assert not any("pco" in place for place in erased["one"]), "the other source's person 1 stays, and is named"
    assert [id for id, _ in erased["raw"]["people.people"]] == ["1", "2", "3"]
    extras = {stream: dict(rows)["1"] for stream, rows in erased["raw"].items() if stream != "people.people"}
    assert extras["people.campuses"] and extras["pens.folds"] is None
    assert erased["both"]["pco_people.people"] == erased["both"]["flock_pens.shepherds"] == 1
    assert erased["people"] == ["flock 3", "pco 1", "pco 3"]
    assert erased["again"] == {}
