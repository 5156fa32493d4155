"""Large deletions wait for a person; children of a deleted record are deleted and restored with it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from openfaith_pipeline.alerts.incidents import list_alerts
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import DeletionDisproved, StreamBusy, UsageError
from openfaith_pipeline.orgs.status import read_status
from openfaith_pipeline.review.delete_guards import ANY, Guard, reset_guard, set_guard
from openfaith_pipeline.review.held_deletions import HeldDeletion, list_held
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.faults import Script
from openfaith_pipeline.simulator.server import made_up_churches
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.deletion_approval import Approval, approve_deletion, reject_deletion
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.integration.sync.church import differences, statuses, stored, sync

PEOPLE, EMAILS, PHONES = (STREAMS[f"people.{name}"] for name in ("people", "emails", "phone_numbers"))
LISTS, RULES, CONDITIONS = (STREAMS[f"people.{name}"] for name in ("lists", "rules", "conditions"))
WORKFLOWS, CARDS, NOTES = (STREAMS[f"people.{name}"] for name in ("workflows", "workflow_cards", "workflow_card_notes"))
SYNCED = (PEOPLE, EMAILS, PHONES, LISTS, RULES, CONDITIONS, WORKFLOWS, CARDS, NOTES)
CHURCHES = made_up_churches(2, people=260)
"""With more emails than may be deleted at once."""


def held(database: Database) -> list[HeldDeletion]:
    with database.connect() as connection:
        return list_held(connection)


def approve(database: Database, held_id: int) -> Approval:
    return asyncio.run(approve_deletion(database, held_id, "a person"))


def delete(simulator: SimulatorClient, org_id: str, stream: str, ids: list[str]) -> None:
    simulator.delete(org_id, stream, [int(identifier) for identifier in ids])


def under(rows: Mapping[str, Mapping[str, Any]], column: str, owners: list[str]) -> set[str]:
    return {identifier for identifier, row in rows.items() if row[column] in owners}


def test_a_large_deletion_waits_and_approving_it_deletes_exactly_the_held_rows(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    emails = list(stored(database, synced_org, EMAILS))
    gone, later = emails[:120], emails[120:123]
    delete(simulator, synced_org, "people.emails", gone)
    [result] = sync(database, synced_org, [EMAILS], SyncMode.RECONCILE).values()
    assert (result.status, result.deleted, result.held) == ("incomplete", 0, 120)
    assert result.error is not None and "deletes list" in result.error
    assert stored(database, synced_org, EMAILS).keys() == set(emails)
    [waiting] = held(database)
    assert (waiting.org_id, waiting.stream, waiting.number, waiting.row_count) == (
        synced_org,
        "people.emails",
        120,
        len(emails),
    )
    with database.connect() as connection:
        [alert] = list_alerts(connection, org_id=synced_org)
    assert (alert.kind, alert.incident) == ("deletes_held", "people.emails")
    [status] = read_status(database, synced_org, adapter="pco")
    assert {stream.stream: stream.held for stream in status.streams if stream.held} == {"people.emails": 120}

    delete(simulator, synced_org, "people.emails", later)
    approval = approve(database, waiting.id)
    assert (approval.deleted, approval.under) == (120, {})
    assert stored(database, synced_org, EMAILS).keys() == set(emails) - set(gone)
    with database.connect() as connection:
        assert list_alerts(connection, org_id=synced_org) == []
        counts = connection.execute(
            "SELECT status, deleted FROM sync.stream_syncs WHERE sync_id = %s", (approval.sync_id,)
        ).fetchall()
        journal = connection.execute(
            "SELECT count(*) FROM sync.journal WHERE sync_id = %s AND action = 'delete'", (approval.sync_id,)
        ).fetchone()
    assert counts == [("succeeded", 120)] and journal == (120,)
    with pytest.raises(UsageError, match="no held deletion"):
        approve(database, waiting.id)


def test_a_held_record_that_is_there_again_refuses_the_approval(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    emails = list(stored(database, synced_org, EMAILS))
    truth = {record["id"]: record for record in simulator.truth(synced_org, "people.emails")}
    delete(simulator, synced_org, "people.emails", emails[:120])
    sync(database, synced_org, [EMAILS], SyncMode.RECONCILE)
    for identifier in emails[:110]:
        simulator.inject(synced_org, "people.emails", truth[identifier], id=int(identifier))
    with pytest.raises(DeletionDisproved, match="exist in Planning Center again"):
        approve(database, held(database)[0].id)
    assert stored(database, synced_org, EMAILS).keys() == set(emails)
    sync(database, synced_org, [EMAILS], SyncMode.RECONCILE)
    assert held(database) == []
    assert stored(database, synced_org, EMAILS).keys() == set(emails) - set(emails[110:120])


def test_a_rejected_deletion_leaves_the_rows_and_is_held_anew_by_the_next_reconcile(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    emails = list(stored(database, synced_org, EMAILS))
    delete(simulator, synced_org, "people.emails", emails[:120])
    sync(database, synced_org, [EMAILS], SyncMode.RECONCILE)
    [first] = held(database)
    asyncio.run(reject_deletion(database, first.id, "a person"))
    assert held(database) == []
    sync(database, synced_org, [EMAILS], SyncMode.RECONCILE)
    sync(database, synced_org, [EMAILS], SyncMode.RECONCILE)
    [again] = held(database)
    assert again.id > first.id and stored(database, synced_org, EMAILS).keys() == set(emails)
    with database.connect() as connection:
        decisions = [each.decision for each in list_held(connection, synced_org, with_decided=True)]
    assert decisions == ["rejected", "superseded", None]


def test_a_deletion_is_not_approved_while_its_stream_is_synced(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    delete(simulator, synced_org, "people.emails", list(stored(database, synced_org, EMAILS))[:120])
    sync(database, synced_org, [EMAILS], SyncMode.RECONCILE)
    with database.connect() as connection:
        connection.execute(
            "UPDATE sync.stream_states SET holder = 'elsewhere:1:a', lease_expires_at = now() + interval '1 min'"
            " WHERE stream = 'people.emails'"
        )
    with pytest.raises(StreamBusy):
        approve(database, held(database)[0].id)
    assert len(held(database)) == 1


def test_the_most_particular_guard_counts(database: Database, simulator: SimulatorClient, synced_org: str) -> None:
    def reconcile() -> tuple[int, int]:
        [gone, *_] = stored(database, synced_org, EMAILS)
        delete(simulator, synced_org, "people.emails", [gone])
        [result] = sync(database, synced_org, [EMAILS], SyncMode.RECONCILE).values()
        return result.deleted, result.held

    with database.connect() as connection:
        set_guard(connection, Guard(ANY, "people.emails", 0.0, 0))
    assert reconcile() == (0, 1)
    with database.connect() as connection:
        set_guard(connection, Guard(synced_org, "people.emails", 0.5, 10))
    assert reconcile() == (1, 0) or reconcile()[1] == 0
    with database.connect() as connection:
        reset_guard(connection, synced_org, "people.emails")
        reset_guard(connection, ANY, "people.emails")
        set_guard(connection, Guard(synced_org, ANY, 0.0, 0))
    assert reconcile()[1] == 1
    with database.connect() as connection:
        for share, number in ((1.5, 0), (-0.1, 0), (0.1, -1)):
            with pytest.raises(UsageError):
                set_guard(connection, Guard(ANY, ANY, share, number))


def test_children_of_a_deleted_record_go_and_come_back_with_it(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    before = {stream: stored(database, synced_org, stream) for stream in (EMAILS, PHONES, CARDS, NOTES)}
    people = sorted({str(row["person_id"]) for row in before[EMAILS].values()})[:3]
    truth = {
        stream.name: {record["id"]: record for record in simulator.truth(synced_org, stream.name)}
        for stream in (PEOPLE, EMAILS, PHONES)
    }
    lost = {stream: under(before[stream], "person_id", people) for stream in (EMAILS, PHONES)}
    for stream in (EMAILS, PHONES):
        delete(simulator, synced_org, stream.name, list(lost[stream]))
    delete(simulator, synced_org, "people.people", people)
    [result] = sync(database, synced_org, [PEOPLE], SyncMode.RECONCILE).values()
    assert (result.status, result.deleted) == ("succeeded", 3)
    for stream in (EMAILS, PHONES):
        assert stored(database, synced_org, stream).keys() == before[stream].keys() - lost[stream]
    assert lost[EMAILS]

    stays_lost = next(iter(lost[EMAILS]))
    for name, records in truth.items():
        for identifier, record in records.items():
            is_back = (
                identifier in people
                if name == "people.people"
                else record["relationships"]["person"]["data"]["id"] in people
            )
            if is_back and (name, identifier) != ("people.emails", stays_lost):
                simulator.inject(synced_org, name, record, id=int(identifier))
    simulator.edit(synced_org, "people.people", [int(identifier) for identifier in people])
    [result] = sync(database, synced_org, [PEOPLE]).values()
    assert result.updated >= 3
    assert stored(database, synced_org, EMAILS).keys() == before[EMAILS].keys() - {stays_lost}
    assert stored(database, synced_org, PHONES) == before[PHONES]


def test_a_child_that_may_not_be_read_keeps_no_parent_from_coming_back(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    [email, *_] = stored(database, synced_org, EMAILS)
    person = str(stored(database, synced_org, EMAILS)[email]["person_id"])
    [truth] = [each for each in simulator.truth(synced_org, PEOPLE.name) if each["id"] == person]
    delete(simulator, synced_org, EMAILS.name, [email])
    delete(simulator, synced_org, PEOPLE.name, [person])
    assert sync(database, synced_org, [PEOPLE], SyncMode.RECONCILE)[PEOPLE.name].deleted == 1
    assert email not in stored(database, synced_org, EMAILS)

    simulator.inject(synced_org, PEOPLE.name, truth, id=int(person))
    simulator.edit(synced_org, PEOPLE.name, [int(person)])
    simulator.script(Script(answer="forbidden", path=f"{EMAILS.path}/{email}", times=None))
    assert statuses(sync(database, synced_org, [PEOPLE])) == {}
    assert person in stored(database, synced_org, PEOPLE)
    with database.connect() as connection:
        query = "SELECT stream FROM sync.stream_states WHERE org_id = %s AND last_full_at IS NULL"
        assert (EMAILS.name,) in connection.execute(query, (synced_org,)).fetchall(), "they have to be listed anew"


def test_children_that_a_merge_moved_stay(database: Database, simulator: SimulatorClient, synced_org: str) -> None:
    emails = stored(database, synced_org, EMAILS)
    merged = str(next(iter(emails.values()))["person_id"])
    keeper = next(identifier for identifier in stored(database, synced_org, PEOPLE) if identifier != merged)
    simulator.merge(synced_org, "people.people", keep=int(keeper), remove=int(merged))
    [result] = sync(database, synced_org, [PEOPLE], SyncMode.RECONCILE).values()
    assert result.deleted == 1
    assert stored(database, synced_org, EMAILS).keys() == emails.keys()


def test_the_canonical_rows_links_and_edges_follow(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    def live() -> tuple[int, int, int]:
        with database.connect() as connection:
            transform_org(connection, synced_org, schema="public", sync_id="test")
            return tuple(  # type: ignore[return-value]
                connection.execute(f'SELECT count(*) FROM "openfaith_{table}" WHERE "deletedAt" IS NULL').fetchone()[0]  # noqa: S608
                for table in ("emails", "externalLinks", "edges")
            )

    before = live()
    emails = stored(database, synced_org, EMAILS)
    delete(simulator, synced_org, "people.emails", list(emails)[:120])
    sync(database, synced_org, [EMAILS], SyncMode.RECONCILE)
    assert live() == before
    approve(database, held(database)[0].id)
    after = live()
    assert (before[0] - after[0], before[1] - after[1]) == (120, 120) and after[2] < before[2]


def test_everything_is_as_the_source_again_after_deletes_at_every_level(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    delete(simulator, synced_org, "people.workflows", list(stored(database, synced_org, WORKFLOWS))[:1])
    delete(simulator, synced_org, "people.lists", list(stored(database, synced_org, LISTS))[:1])
    sync(database, synced_org, SYNCED, SyncMode.RECONCILE)
    assert differences(database, simulator, synced_org, SYNCED) == []


def test_the_links_of_a_deleted_record_go_where_nothing_else_has_changed(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    events = [STREAMS["calendar.events"]]
    links = "SELECT id FROM pco_calendar.events_tags WHERE org_id = %s ORDER BY id"
    sync(database, synced_org, events)
    with database.connect(autocommit=True) as connection:
        before = [identifier for (identifier,) in connection.execute(links, (synced_org,)).fetchall()]
        delete(simulator, synced_org, "calendar.events", [before[0]])
        [result] = sync(database, synced_org, events, SyncMode.RECONCILE).values()
        after = [identifier for (identifier,) in connection.execute(links, (synced_org,)).fetchall()]
    assert (result.inserted, result.updated, result.deleted) == (0, 0, 1)
    assert after == [identifier for identifier in before if identifier != before[0]]


def test_a_doubt_about_an_included_stream_holds_back_its_own_deletions_only(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    people, emails = stored(database, synced_org, PEOPLE), stored(database, synced_org, EMAILS)
    by_person = {row["person_id"]: identifier for identifier, row in emails.items()}
    (leaving, _), (_, dropped), (stays, broken) = list(by_person.items())[:3]
    simulator.inject(
        synced_org,
        "people.emails",
        {
            "type": "Email",
            "id": broken,
            "attributes": ["no attributes at all"],
            "relationships": {"person": {"data": {"type": "Person", "id": stays}}},
        },
        id=int(broken),
    )
    delete(simulator, synced_org, "people.people", [leaving])
    delete(simulator, synced_org, "people.emails", [dropped])
    with database.connect() as connection:  # the first sync was a full reading
        connection.execute("UPDATE sync.stream_states SET last_full_at = NULL")

    results = sync(database, synced_org, [PEOPLE, EMAILS], SyncMode.RECONCILE)

    assert (results["people.people"].status, results["people.people"].deleted) == ("succeeded", 1)
    assert stored(database, synced_org, PEOPLE).keys() == people.keys() - {leaving}
    assert results["people.emails"].status == "incomplete"
    assert "too broken" in (results["people.emails"].error or "")
    assert stored(database, synced_org, EMAILS).keys() == emails.keys() - under(emails, "person_id", [leaving])
    with database.connect() as connection:
        proven = connection.execute(
            "SELECT stream FROM sync.stream_states WHERE org_id = %s AND last_full_at IS NOT NULL", (synced_org,)
        ).fetchall()
    assert proven == [("people.people",)]
