"""`doctor` as a user runs it: its output, exit codes, prompts and repairs."""

from pathlib import Path

import psycopg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline_tests.verbs import Verbs

pytestmark = pytest.mark.slow

STREAMS = ("--stream", "people.campuses", "--stream", "people.people")


def test_from_a_new_church_to_a_repaired_one(verb: Verbs, connected: str, database: Database) -> None:
    unread = verb("doctor", "--json")
    assert unread.code == 1, unread.err
    assert [each["kind"] for each in unread.document["findings"]] == ["never_synced"]
    assert verb("sync", connected, *STREAMS).code == 0
    well = verb("doctor", "--json")
    assert (well.code, well.document["status"], well.document["findings"]) == (0, "well", []), well.err
    assert well.document["unexamined"] == []
    with psycopg.connect(database.url) as connection:
        connection.execute(
            'DELETE FROM "openfaith_externalLinks" WHERE "entityId" = (SELECT min(id) FROM openfaith_people)'
        )
    found = verb("doctor", "--org", connected)
    assert found.code == 1, found.err
    assert "error: entities_without_link 1" in found.out
    assert f"mend: openfaith-pipeline doctor --org {connected} --repair" in found.out
    asked = verb("doctor", "--repair")
    assert (asked.code, "pass --yes" in asked.err) == (2, True), asked.err
    foreseen = verb("doctor", "--repair", "--dry-run", "--json")
    tables = foreseen.document["repair"]["orgs"][connected]["tables"]
    assert (foreseen.code, tables) == (1, {"public.openfaith_externalLinks": {"insert": 1}})
    assert foreseen.document["repair"]["sync_id"] is None
    repaired = verb("doctor", "--repair", "--yes", "--json")
    assert (repaired.code, repaired.document["status"]) == (0, "well"), repaired.err
    sync_id = repaired.document["repair"]["sync_id"]
    assert verb("rollback", sync_id, "--yes").code == 0
    assert verb("doctor").code == 1


def test_without_a_home_or_a_database_it_says_so(verb: Verbs, tmp_path: Path) -> None:
    none = {"DB_HOST_PRIMARY": "", "DB_NAME": "", "DB_USERNAME": "", "DB_PASSWORD": "", "OPENFAITH_HOME": str(tmp_path)}
    nowhere = verb("doctor", "--json", **none)
    assert nowhere.code == 2, nowhere.err
    assert [each["kind"] for each in nowhere.document["findings"]] == ["no_home"]
    assert {each["area"] for each in nowhere.document["unexamined"]} >= {"database", "streams", "openfaith"}
    assert list(tmp_path.iterdir()) == []
    down = verb("doctor", DB_PORT="1")
    assert (down.code, "error: database_unanswering" in down.out) == (1, True), down.out + down.err
    assert "not looked at: database, syncs, connections, streams" in down.out
    refused = verb("doctor", "--json", DB_NAME="no_such_database")
    assert (refused.code, refused.document["findings"][0]["kind"]) == (2, "database_refusing")
    wrong = verb("doctor", "--json", DB_PORT="many")
    assert (wrong.code, wrong.document["findings"][0]["kind"]) == (2, "settings_unusable")
    assert verb("doctor", "--org", "nobody").code == 2
    assert verb("doctor", "--dry-run").code == 2
