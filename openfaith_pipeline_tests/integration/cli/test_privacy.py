"""`person` and `org erase|export`, from the outside."""

import json
import zipfile
from pathlib import Path

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.orgs.registry import get_org
from openfaith_pipeline.webhooks.state import state_of
from openfaith_pipeline_tests.verbs import Verbs

pytestmark = pytest.mark.slow

PERSON = (
    "INSERT INTO pco_people.people (org_id, id, first_name, _content_hash, _first_seen_at, _synced_at, _sync_id)"
    " VALUES (%s, '7', 'Ann', '', now(), now(), 'sync')"
)


def _add(database: Database, org_id: str) -> None:
    with database.connect() as connection:
        connection.execute(PERSON, (org_id,))


def _people(database: Database) -> int:
    with database.connect() as connection:
        return len(connection.execute("SELECT FROM pco_people.people").fetchall())


def test_a_person_is_exported_erased_and_lifted(
    verb: Verbs, connected: str, database: Database, tmp_path: Path
) -> None:
    _add(database, connected)
    out = tmp_path / "ann.json"
    assert verb("person", "export", connected, "7", "--out", str(out)).code == 0
    assert json.loads(out.read_text())["records"]["people.people"][0]["first_name"] == "Ann"
    again = verb("person", "export", connected, "7", "--out", str(out))
    assert (again.code, "already exists" in again.err) == (2, True)

    unanswered = verb("person", "erase", connected, "7")
    assert (unanswered.code, "--yes" in unanswered.err, "pco_people.people" in unanswered.err) == (2, True, True)
    foreseen = verb("person", "erase", connected, "7", "--dry-run", "--json")
    assert (foreseen.document["counts"]["pco_people.people"], _people(database)) == (1, 1)
    erased = verb("person", "erase", connected, "7", "--yes", "--json")
    assert (erased.code, _people(database)) == (0, 0), erased.err
    assert erased.document["counts"] == foreseen.document["counts"]
    assert "pco_people.people" in erased.document["tables"]["rewritten"]
    assert "pg_catalog.pg_statistic" in erased.document["tables"]["rewritten"] + erased.document["tables"]["refused"]

    gone = verb("person", "erase", connected, "7", "--yes")
    assert (gone.code, "nothing is stored about a person '7'" in gone.err) == (2, True)
    [listed] = verb("person", "erasures", connected, "--json").document
    assert listed["erasure_id"] == erased.document["erasure_id"]
    assert verb("person", "lift", connected, "7").code == 0
    assert verb("person", "lift", connected, "7").code == 2


def test_an_org_is_exported_and_erased(verb: Verbs, connected: str, database: Database, tmp_path: Path) -> None:
    _add(database, connected)
    out = tmp_path / "church.zip"
    exported = verb("org", "export", connected, "--format", "csv", "--out", str(out), "--json")
    assert exported.document["rows"] == {"pco_people.people": 1}
    with zipfile.ZipFile(out) as archive:
        assert archive.namelist() == ["pco_people.people.csv", "manifest.json"]

    foreseen = verb("org", "erase", connected, "--dry-run", "--json")
    assert (foreseen.code, _people(database)) == (0, 1), foreseen.err
    assert verb("org", "erase", connected).code == 2
    erased = verb("org", "erase", connected, "--yes", "--json")
    assert (erased.code, _people(database)) == (0, 0), erased.err
    assert erased.document["counts"].items() >= {"pco_people.people": 1, "sync.orgs": 1}.items()
    again = verb("org", "erase", connected, "--yes")
    assert again.code == 2


def test_a_busy_org_is_as_before_when_its_erasure_is_refused(verb: Verbs, connected: str, database: Database) -> None:
    _add(database, connected)
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.stream_states (org_id, stream, holder, lease_expires_at)"
            " VALUES (%s, 'people.emails', 'elsewhere:1:x', now() + interval '1 hour')",
            (connected,),
        )
    refused = verb("org", "erase", connected, "--yes")
    assert (refused.code, "is being synced" in refused.err, _people(database)) == (1, True, 1)
    with database.connect() as connection:
        assert get_org(connection, connected).paused_at is None
        assert state_of(connection, connected, "pco").is_wanted
