"""Merges at the source, read by the stream of mergers: raw rows end at once, the OpenFaith tables follow."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg.rows import dict_row

from openfaith_pipeline.database import Database
from openfaith_pipeline.planning_center.streams import people
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.options import Traps
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.sync.rollback import RollbackOrder, roll_back
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.integration.snapshots import differing, snapshot, states
from openfaith_pipeline_tests.integration.sync.church import connect, differences, row_versions, statuses, stored, sync
from openfaith_pipeline_tests.rates import GENEROUS

STREAMS = (people.CAMPUSES, people.PEOPLE, people.EMAILS, people.PERSON_MERGERS)


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=30), rate_limit=GENEROUS) as running:
        yield running


def _bring(database: Database, org_id: str, streams: Any = STREAMS, mode: SyncMode = SyncMode.INCREMENTAL) -> Any:
    results = sync(database, org_id, streams, mode)
    assert statuses(results) == {}
    with database.connect() as connection:
        transform_org(connection, org_id, schema="public", sync_id="sync")
    return results


def _people_of_emails(database: Database, org_id: str) -> dict[str, str]:
    """Email id -> the Planning Center id of the live person whose email it is, by the OpenFaith tables."""
    with database.connect(row_factory=dict_row) as connection:
        rows = connection.execute(
            """
            SELECT email."externalId" AS email, person."externalIds" -> 0 ->> 'id' AS person
            FROM "openfaith_edges" edge
            JOIN "openfaith_externalLinks" email ON email."entityId" = edge."sourceEntityId"
            JOIN "openfaith_people" person ON person.id = edge."targetEntityId" AND person."deletedAt" IS NULL
            WHERE edge."orgId" = %s AND edge."relationshipType" = 'email_has_person' AND edge."deletedAt" IS NULL
            """,
            [org_id],
        ).fetchall()
    return {row["email"]: row["person"] for row in rows}


def _standing(database: Database, org_id: str, ids: list[int]) -> list[tuple[str, bool]]:
    """Of each person: whose entity the link leads to, and whether the link is live."""
    with database.connect() as connection:
        found = connection.execute(
            """
            SELECT link."externalId", person."externalIds" -> 0 ->> 'id', link."deletedAt" IS NULL
            FROM "openfaith_externalLinks" link JOIN "openfaith_people" person ON person.id = link."entityId"
            WHERE link."orgId" = %s AND link."entityType" = 'person'
            """,
            [org_id],
        ).fetchall()
    by_id = {external: (person, is_live) for external, person, is_live in found}
    return [by_id[str(identifier)] for identifier in ids]


@pytest.mark.parametrize("first", ["the merge", "the loss"])
def test_a_chain_of_merges_in_either_order(database: Database, simulator: SimulatorClient, first: str) -> None:
    [org_id] = connect(database, simulator)
    _bring(database, org_id)
    middle, keeper, gone = (
        int(email["person_id"]) for email in list(stored(database, org_id, people.EMAILS).values())[:3]
    )
    simulator.merge(org_id, "people.people", keep=middle, remove=gone)
    if first == "the merge":
        results = _bring(database, org_id, [people.PERSON_MERGERS])
        assert results["people.person_mergers"].merged == 1
    else:
        assert _bring(database, org_id, [people.PEOPLE], SyncMode.RECONCILE)["people.people"].deleted == 1
        assert _bring(database, org_id, [people.PERSON_MERGERS])["people.person_mergers"].merged == 0
    assert str(gone) not in stored(database, org_id, people.PEOPLE)
    assert _standing(database, org_id, [gone, middle]) == [(str(middle), True)] * 2

    simulator.merge(org_id, "people.people", keep=keeper, remove=middle)
    _bring(database, org_id)
    assert differences(database, simulator, org_id, STREAMS) == []
    assert _standing(database, org_id, [gone, middle, keeper]) == [(str(keeper), True)] * 3
    truth = {
        email["id"]: email["relationships"]["person"]["data"]["id"]
        for email in simulator.truth(org_id, "people.emails")
    }
    assert _people_of_emails(database, org_id) == truth

    simulator.delete(org_id, "people.people", [keeper])
    _bring(database, org_id, mode=SyncMode.RECONCILE)
    assert _standing(database, org_id, [gone, middle, keeper]) == [(str(keeper), False)] * 3
    assert differences(database, simulator, org_id, STREAMS) == []


def test_records_moved_by_a_merge_without_a_new_time_belong_to_the_survivor_at_once(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id] = connect(database, simulator)
    simulator.set_traps(org_id, Traps(is_still_along=True))
    _bring(database, org_id)
    keep, gone = (int(email["person_id"]) for email in list(stored(database, org_id, people.EMAILS).values())[:2])
    simulator.merge(org_id, "people.people", keep=keep, remove=gone)
    _bring(database, org_id)
    truth = {
        email["id"]: email["relationships"]["person"]["data"]["id"]
        for email in simulator.truth(org_id, "people.emails")
    }
    assert _people_of_emails(database, org_id) == truth
    _bring(database, org_id, mode=SyncMode.RECONCILE)
    assert differences(database, simulator, org_id, STREAMS) == []
    assert _people_of_emails(database, org_id) == truth


def test_a_person_who_is_listed_although_merged_away_stays_gone(database: Database, simulator: SimulatorClient) -> None:
    """As on a page that was read before the merge: their staged rows are dropped each time."""
    [org_id] = connect(database, simulator)
    _bring(database, org_id)
    keep, removed = (int(identifier) for identifier in list(stored(database, org_id, people.PEOPLE))[:2])
    simulator.add(org_id, "people.person_mergers", relations={"person_to_keep": keep, "person_to_remove": removed})
    assert _bring(database, org_id)["people.person_mergers"].merged == 1
    assert str(removed) not in stored(database, org_id, people.PEOPLE)
    simulator.edit(org_id, "people.people", [removed], attributes={"nickname": "Still here"})
    before = row_versions(database, STREAMS)
    sync(database, org_id, STREAMS, SyncMode.RECONCILE)
    assert str(removed) not in stored(database, org_id, people.PEOPLE)
    assert row_versions(database, STREAMS) == before
    with database.connect() as connection:
        journal = connection.execute("SELECT cause FROM sync.journal WHERE action = 'delete'").fetchall()
    assert ("merge",) in journal


def test_a_merge_is_rolled_back_whole_and_can_be_again(database: Database, simulator: SimulatorClient) -> None:
    """Rolling back the sync of the mergers restores the people's rows, links, edges and counts."""
    [org_id] = connect(database, simulator)
    _bring(database, org_id)
    with database.connect(autocommit=True) as connection:
        before, states_before = snapshot(connection), states(connection)
        merged = simulator.merge(org_id, "people.people")
        sync(database, org_id, [people.PERSON_MERGERS], sync_id="merge")
        with database.connect() as transforming:
            transform_org(transforming, org_id, schema="public", sync_id="merge")
        assert {"pco_people.people", "public.openfaith_people", "public.openfaith_edges"} <= set(
            differing(before, snapshot(connection))
        )
        roll_back(database, RollbackOrder("merge"))
        assert differing(before, snapshot(connection)) == []
        assert states(connection) == states_before
    _bring(database, org_id)
    assert _standing(database, org_id, [merged["remove"]]) == [(str(merged["keep"]), True)]
