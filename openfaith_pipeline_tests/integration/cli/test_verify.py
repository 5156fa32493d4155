"""`verify` as a user runs it: its output, exit codes and stored report."""

import psycopg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline_tests.verbs import Verbs

pytestmark = pytest.mark.slow

STREAMS = ("--stream", "people.campuses", "--stream", "people.emails")


def test_equal_then_tampered_with(verb: Verbs, connected: str, database: Database) -> None:
    unread = verb("verify", connected)
    assert (unread.code, "no sync has read any of this yet" in unread.err) == (2, True), unread.err
    assert verb("sync", connected, *STREAMS).code == 0

    equal = verb("verify", connected, *STREAMS, "--json")
    assert equal.code == 0, equal.err
    assert (equal.document["org_id"], equal.document["status"]) == (connected, "equal")
    assert equal.document["streams"].keys() == {"people.campuses", "people.emails"}
    assert {"source_count", "row_count", "compared", "missing", "extra", "different", "examples"} <= (
        equal.document["streams"]["people.emails"].keys()
    )
    with psycopg.connect(database.url) as connection:
        connection.execute("UPDATE sync.stream_states SET availability = 'forbidden' WHERE stream = 'people.campuses'")
    withheld = verb("verify", connected, *STREAMS)
    assert (withheld.code, withheld.out.strip().splitlines()[-1]) == (0, "equal, 1 stream withheld and not compared")
    nothing = verb("verify", connected, *STREAMS[:2])
    assert (nothing.code, nothing.out.strip().splitlines()[-1]) == (
        1,
        "incomplete: nothing was compared with the source, 1 stream withheld and not compared",
    )
    with psycopg.connect(database.url) as connection:
        connection.execute("UPDATE sync.stream_states SET availability = 'available'")
        connection.execute(
            "UPDATE pco_people.emails SET location = 'elsewhere' WHERE id = (SELECT min(id) FROM pco_people.emails)"
        )
    differs = verb("verify", connected, "--full", COLUMNS="400")
    assert differs.code == 1, differs.err
    assert differs.out.strip().endswith("differs")
    assert f"Mend: openfaith-pipeline sync {connected} --stream people.emails --mode full_refresh" in differs.err
    assert "(location)" in differs.err
    assert "elsewhere" not in differs.out + differs.err
    with psycopg.connect(database.url) as connection:
        kept = connection.execute(
            "SELECT status, is_full, trigger FROM sync.verifications ORDER BY finished_at"
        ).fetchall()
    sampled = [("equal", False, "cli"), ("equal", False, "cli"), ("incomplete", False, "cli")]
    assert kept == [*sampled, ("differs", True, "cli")]
