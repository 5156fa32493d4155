"""Exports: everything of a person or of an org, in files that only their owner may read."""

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any, get_args

import pytest

from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.privacy.org_export import Format, export_org
from openfaith_pipeline.privacy.person_export import read_person, write_person
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.integration.privacy.conftest import Prepared
from openfaith_pipeline_tests.integration.privacy.planting import PLANTED
from openfaith_pipeline_tests.integration.sync.church import stored


def test_exports_are_whole_and_private(church: Prepared, tmp_path: Path) -> None:
    database, org_id, planted = church.database, church.org_id, church.planted
    person = tmp_path / "person.json"
    export = read_person(database, org_id, planted["person"])
    write_person(export, person, "json")
    _check_person(json.loads(person.read_bytes()), planted)
    write_person(export, tmp_path / "person.zip", "csv")
    with zipfile.ZipFile(tmp_path / "person.zip") as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("people.people.csv").decode())))
    assert {row["medical_notes"] for row in rows} == {PLANTED}

    emails = stored(database, org_id, STREAMS["people.emails"])
    for kind in get_args(Format):
        counts = export_org(database, org_id, tmp_path / f"church-{kind}.zip", kind, with_history=True)
        assert _emails_in(tmp_path / f"church-{kind}.zip", kind, counts) == {*emails}
        assert "sync.journal" in counts
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.*")} == {0o600}

    person.write_text("mine")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match="already exists"):
        write_person(export, person, "json")
    with pytest.raises(UsageError, match="already exists"):
        export_org(database, org_id, person, "json")
    assert (person.read_text(), sorted(tmp_path.iterdir())) == ("mine", before)


def _check_person(written: dict[str, Any], planted: dict[str, str]) -> None:
    assert [each["id"] for each in written["records"]["people.people"]] == [planted["person"], planted["loser"]]
    assert written["records"]["people.notes"][0]["person_id"] == planted["person"]
    gifts = written["records"]["giving.donations"]
    assert planted["donation"] in {gift["id"] for gift in gifts}
    assert {gift["person_id"] for gift in gifts} == {planted["person"]}
    assert written["mentions"]["people.notes"]["created_by"] == [planted["note"]]
    assert len(written["openfaith"]["openfaith_people"]) == 2


def _emails_in(path: Path, kind: str, counts: dict[str, int]) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("manifest.json"))["rows"] == counts
        assert len(archive.namelist()) == len(counts) + 1
        lines = io.StringIO(archive.read(f"pco_people.emails.{'jsonl' if kind == 'json' else 'csv'}").decode())
    rows = list(map(json.loads, lines)) if kind == "json" else list(csv.DictReader(lines))
    assert counts["pco_people.emails"] == len(rows)
    return {row["id"] for row in rows}
