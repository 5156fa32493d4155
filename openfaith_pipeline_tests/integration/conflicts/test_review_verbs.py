"""`review list|show|approve|reject`: everything that waits for a decision, of every kind."""

import asyncio
from collections.abc import Iterator

import pytest
from psycopg.rows import dict_row

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.review.conflict_policies import Policy
from openfaith_pipeline.review.conflicts import Decision
from openfaith_pipeline.review.held_deletions import hold
from openfaith_pipeline.review.items import Kind, get_items, list_items
from openfaith_pipeline.sync.review_decision import decide_items
from openfaith_pipeline_tests.integration.conflicts.things import FUTURE, ORG, OTHER, USER, Person, choose
from openfaith_pipeline_tests.tenants import add_orgs
from openfaith_pipeline_tests.verbs import Verbs


@pytest.fixture
def waiting(database: Database) -> Iterator[Person]:
    """A held deletion, a conflict and an entry of the quarantine, in this order."""
    add_orgs(database, {ORG: "Cedar Hollow Chapel", OTHER: "Amber Hill"})
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.stream_states (org_id, stream, availability, row_count)"
            " VALUES (%s, 'people.emails', 'available', 90)",
            (ORG,),
        )
        connection.commit()
        asyncio.run(_hold(database))
        ann = Person(connection)
        choose(connection, Policy.ASK)
        ann.here("Annie")
        ann.at_source("Anna", FUTURE)
        ann.transform()
        connection.execute(
            "INSERT INTO sync.quarantine (org_id, stream, sync_id, record_id, field, reason, record)"
            " VALUES (%s, 'people.people', 'sync', '1', 'birthdate', 'no date', '{\"id\": \"1\"}')",
            (ORG,),
        )
        connection.commit()
        yield ann


async def _hold(database: Database) -> None:
    async with database.pool(size=1, row_factory=dict_row) as pool, pool.connection() as connection:
        await hold(connection, ORG, "people.emails", ids=["1", "2"], sync_id="sync", reason="2 of 90 are missing")


def test_all_kinds_are_listed_by_age_and_org(waiting: Person) -> None:
    items = list_items(waiting.connection, ORG)
    assert [item.kind for item in items] == [Kind.DELETION, Kind.CONFLICT, Kind.QUARANTINE]
    assert [item.id for item in items] == ["deletion-1", "conflict-1", "quarantine-1"]
    assert items[1].about == f"firstName of people {waiting.entity_id}"
    assert USER in items[1].reason
    assert "Annie" not in str(items[1].described(with_values=False))
    assert items[1].described(with_values=True)["details"]["local"] == "Annie"
    assert list_items(waiting.connection, OTHER) == []
    with pytest.raises(UsageError, match="conflict-2"):
        get_items(waiting.connection, ["conflict-1", "conflict-2"])
    with pytest.raises(UsageError, match="not a review item"):
        get_items(waiting.connection, ["conflict-0"])


def test_one_decision_of_all_kinds(database: Database, waiting: Person) -> None:
    outcomes = decide_items(
        database, ["deletion-1", "conflict-1", "quarantine-1"], Decision.REJECT, "an operator", trigger="test"
    )
    assert {outcome.id: bool(outcome.sync_id) for outcome in outcomes} == {
        "deletion-1": False,
        "conflict-1": True,
        "quarantine-1": False,
    }
    assert list_items(waiting.connection) == []
    decided = list_items(waiting.connection, with_decided=True)
    assert [item.decision for item in decided] == ["rejected", "rejected", "resolved"]
    assert waiting.first_name == "Annie"
    with pytest.raises(UsageError, match="not waiting for a decision"):
        decide_items(database, ["quarantine-1"], Decision.APPROVE, "an operator")


@pytest.mark.slow
def test_as_a_person_calls_them(environment: dict[str, str], waiting: Person) -> None:
    verb = Verbs(environment)
    listed = verb("review", "list", "Cedar Hollow Chapel", "--kind", "conflict", "--json")
    assert [item["id"] for item in listed.document] == ["conflict-1"]
    assert "Annie" not in verb("review", "list").out
    assert verb("status", ORG, "--json").document["conflicts"] == 1
    assert "conflicts waiting" in verb("status").out
    shown = verb("review", "show", "conflict-1")
    assert [name in shown.out for name in ("Ann", "Annie", "Anna", USER)] == [True] * 4

    unsure = verb("review", "approve", "conflict-1", stdin="n\n")
    assert (unsure.code, waiting.first_name) == (1, "Annie")
    done = verb("review", "approve", "--conflicts-of", ORG, "--yes", "--json")
    assert (done.code, waiting.first_name) == (0, "Anna")
    back = verb("rollback", done.document[0]["sync_id"], "--yes")
    assert (back.code, waiting.first_name, waiting.conflicts()[0][-1]) == (0, "Annie", None), back.err
    assert verb("review", "reject", "conflict-1", "deletion-1", "--yes").code == 0
    assert (waiting.first_name, verb("review", "reject", "conflict-1", "--yes").code) == ("Annie", 2)
    assert verb("review", "approve", "--yes").code == 2
