"""An erased person is nowhere: no table, event or file of the database has a value of theirs, and none comes back."""

import psycopg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.errors import StreamBusy, UsageError
from openfaith_pipeline.privacy.marks import lift, list_erasures
from openfaith_pipeline.privacy.person_erasure import erase_person, foresee_person_erasure
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.sync.rollback import OnConflict, RollbackOrder, roll_back
from openfaith_pipeline_tests.integration.privacy.conftest import Prepared
from openfaith_pipeline_tests.integration.privacy.planting import (
    CHOSEN,
    OTHERS,
    PLANTED,
    bring,
    files_with,
    found_in_tables,
    prepare,
)
from openfaith_pipeline_tests.integration.sync.church import differences, stored


def test_no_table_and_no_file_has_anything_of_an_erased_person(churches: Prepared, postgres: RunningServer) -> None:
    database, org_id, other, planted = churches.database, churches.org_id, churches.other, churches.planted
    with psycopg.connect(postgres.administrator_url(str(database.settings.db_name)), autocommit=True) as connection:
        connection.execute("ANALYZE")  # as autovacuum may at any time: now the planner has samples of every table
    before = found_in_tables(database, other, OTHERS)
    assert found_in_tables(database, org_id, PLANTED) == before
    assert {"pco_people.people", "public.openfaith_people", "sync.quarantine", "sync.webhook_deliveries"} <= {*before}
    assert {"pco_people.spam_email_addresses", "sync.local_edits"} <= {*before}
    assert any(name.startswith("sync.journal_2") for name in before)

    foreseen = foresee_person_erasure(database, org_id, planted["person"])
    assert found_in_tables(database, org_id, PLANTED) == before
    certificate = erase_person(database, org_id, planted["person"], "somebody")

    assert certificate.person_ids == (planted["person"], planted["loser"])
    assert found_in_tables(database, org_id, PLANTED) == []
    assert files_with(postgres, database, PLANTED) == []
    assert found_in_tables(database, other, OTHERS) == before
    assert certificate.counts == foreseen.counts
    assert certificate.counts["pco_people.people"] == 2
    assert certificate.counts["references in pco_giving.donations"] >= 1
    with database.connect() as connection:
        [kept] = list_erasures(connection, org_id)
    assert (kept.counts, kept.erased_by) == (certificate.counts, "somebody")
    check_what_stays(database, org_id, planted)


def check_what_stays(database: Database, org_id: str, planted: dict[str, str]) -> None:
    """Records that only referred to the person remain, without the reference."""
    gift = stored(database, org_id, STREAMS["giving.donations"])[planted["donation"]]
    assert (gift["person_id"], gift["payment_last4"], gift["amount_cents"]) == (None, None, 4711)
    assert stored(database, org_id, STREAMS["giving.donations"])[planted["former"]]["person_id"] == planted["author"]
    visit = stored(database, org_id, STREAMS["check_ins.check_ins"])[planted["visit"]]
    assert (visit["person_id"], visit["first_name"], visit["medical_notes"]) == (None, None, None)
    note = stored(database, org_id, STREAMS["people.notes"])[planted["note"]]
    assert (note["created_by_id"], note["person_id"]) == (None, planted["author"])
    houses = stored(database, org_id, STREAMS["people.households"])
    assert (houses[planted["house"]]["primary_contact_id"], planted["alone"] in houses) == (None, False)
    with database.connect() as connection:
        assert connection.execute("SELECT ids FROM sync.held_deletions WHERE org_id = %s", (org_id,)).fetchall() == [
            (["1"],)
        ]
        assert connection.execute(
            "SELECT stream, convert_from(payload, 'UTF8')::jsonb #>> '{data,attributes}' FROM sync.webhook_deliveries"
            " WHERE org_id = %s",
            (org_id,),
        ).fetchall() == [("giving.donations", "{}")]
        assert connection.execute(
            "SELECT jsonb_path_query_array(report, '$.*.*.examples.id') FROM sync.verifications WHERE org_id = %s",
            (org_id,),
        ).fetchall() == [(["999999", "1", "person 1"],)]


def test_the_one_that_a_record_named_before_is_erased_after_the_one_it_names_now(churches: Prepared) -> None:
    database, org_id, planted = churches.database, churches.org_id, churches.planted
    for name in ("author", "person"):
        erase_person(database, org_id, planted[name], "somebody")
    assert found_in_tables(database, org_id, PLANTED) == []


def test_the_erased_stay_erased_until_lifted(database: Database, simulator: SimulatorClient) -> None:
    org_id, other, planted = prepare(database, simulator)
    with database.connect() as connection:
        [first, second] = connection.execute(
            "SELECT sync_id FROM sync.syncs JOIN sync.stream_syncs USING (sync_id) WHERE org_id = %s"
            " AND stream = 'people.people' ORDER BY id",
            (org_id,),
        ).fetchall()
    erase_person(database, org_id, planted["person"], "somebody")

    person = int(planted["person"])
    simulator.add(org_id, "people.emails", attributes={"address": PLANTED}, relations={"person": person})
    simulator.edit(org_id, "people.people", [person], attributes={"nickname": f"{PLANTED}x"})
    results = bring(database, org_id)
    assert results["people.emails"].withheld_by_erasure >= 1
    results = bring(database, org_id, SyncMode.FULL_REFRESH)
    assert results["people.people"].withheld_by_erasure == 1
    assert {name for name, result in results.items() if result.deleted} == set()
    assert found_in_tables(database, org_id, PLANTED) == []
    settled = bring(database, org_id, SyncMode.FULL_REFRESH)
    assert {name: result.updated for name, result in settled.items() if result.updated} == {}

    for (sync_id,) in (second, first):
        roll_back(database, RollbackOrder(sync_id, OnConflict.OVERWRITE, org_ids=[org_id], is_over=True))
        assert found_in_tables(database, org_id, PLANTED) == []
    bring(database, org_id)
    assert found_in_tables(database, org_id, PLANTED) == []

    with database.connect() as connection:
        assert len(lift(connection, org_id, planted["person"], "somebody else")) == 1
    bring(database, org_id, SyncMode.FULL_REFRESH)
    assert differences(database, simulator, org_id, CHOSEN) == []
    assert differences(database, simulator, other, CHOSEN) == []


def test_nobody_is_erased_by_a_wrong_id_or_while_a_sync_holds_a_stream(church: Prepared) -> None:
    database, org_id, planted = church.database, church.org_id, church.planted
    with database.connect() as connection:
        [(entity_id,)] = connection.execute(
            'SELECT "entityId" FROM "openfaith_externalLinks" WHERE "orgId" = %s AND "entityType" = %s'
            ' AND "externalId" = %s',
            (org_id, "person", planted["person"]),
        ).fetchall()
    assert foresee_person_erasure(database, org_id, entity_id).person_ids[0] == planted["person"]
    with pytest.raises(UsageError, match="nothing is stored about a person '4711000'"):
        foresee_person_erasure(database, org_id, "4711000")
    with pytest.raises(UsageError, match=f"was merged into {planted['person']}"):
        foresee_person_erasure(database, org_id, planted["loser"])

    with database.connect() as connection:
        connection.execute(
            "UPDATE sync.stream_states SET holder = 'elsewhere:1:x', lease_expires_at = now() + interval '1 hour'"
            " WHERE org_id = %s AND stream = 'people.emails'",
            (org_id,),
        )
    with pytest.raises(StreamBusy):
        erase_person(database, org_id, planted["person"], "somebody")
    assert "pco_people.people" in found_in_tables(database, org_id, PLANTED)
