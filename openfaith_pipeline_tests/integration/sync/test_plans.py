"""A plan shows exactly the changes that applying it makes, and changes nothing before."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from psycopg import sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.table_names import staging_name
from openfaith_pipeline.errors import PlanStale, StreamBusy, UsageError
from openfaith_pipeline.load.plans import (
    check_plan,
    discard_plan,
    end_planning,
    find_plan,
    give_up_old_plans,
    is_plan,
)
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync
from openfaith_pipeline.planning_center.streams import people
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.faults import Script
from openfaith_pipeline.simulator.options import Traps
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS as ALL_STREAMS
from openfaith_pipeline.sync.maintenance import maintain
from openfaith_pipeline.sync.plan import OrgPlan, apply_streams, plan_streams
from openfaith_pipeline.sync.results import StreamResult, SyncMode
from openfaith_pipeline_tests.integration.sync.church import (
    IMPATIENT,
    connect,
    differences,
    row_versions,
    statuses,
    stored,
    sync,
)
from openfaith_pipeline_tests.rates import GENEROUS

STREAMS = (
    people.CAMPUSES,
    people.PEOPLE,
    people.PERSON_MERGERS,
    people.EMAILS,
    people.PHONE_NUMBERS,
    people.TABS,
    people.HOUSEHOLDS,
    people.HOUSEHOLD_MEMBERSHIPS,
)
UNCHANGED = (
    "SELECT org_id, stream, watermark, row_count, last_succeeded_at, last_full_at FROM sync.stream_states"
    " WHERE watermark IS NOT NULL OR row_count IS NOT NULL OR last_succeeded_at IS NOT NULL"
)


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=30), rate_limit=GENEROUS) as running:
        yield running


def make_plan(
    database: Database, org_id: str, streams: Any = STREAMS, mode: SyncMode = SyncMode.INCREMENTAL
) -> tuple[str, OrgPlan]:
    sync_id = f"plan_{uuid4().hex}"
    with database.connect() as connection:
        begin_sync(connection, SyncStart(sync_id, None, mode.value, "test", {}))
    plan = asyncio.run(plan_streams(database, org_id, streams, mode=mode, sync_id=sync_id, client_factory=IMPATIENT))
    with database.connect() as connection:
        end_planning(connection, sync_id, None)
        assert is_plan(connection, sync_id)
    return sync_id, plan


def apply_plan(
    database: Database, org_id: str, sync_id: str, streams: Any = STREAMS, mode: SyncMode = SyncMode.INCREMENTAL
) -> dict[str, StreamResult]:
    return asyncio.run(apply_streams(database, org_id, streams, mode=mode, sync_id=sync_id))


def seen(database: Database) -> Any:
    """The state that readers see: versions of raw rows, watermarks, and the size of the journal."""
    with database.connect() as connection:
        states = connection.execute(UNCHANGED + " ORDER BY 1, 2").fetchall()
        journal = connection.execute("SELECT count(*) FROM sync.journal").fetchall()
    return row_versions(database, STREAMS), states, journal


def staged(database: Database) -> int:
    with database.connect() as connection:
        return sum(
            connection.execute(sql.SQL("SELECT count(*) FROM {}").format(staging_name(stream))).fetchone()[0]  # type: ignore[index]
            for stream in STREAMS
        )


def counts(results: Any) -> dict[str, tuple[int, int, int, int]]:
    return {name: (each.inserted, each.updated, each.deleted, each.merged) for name, each in results.items()}


def test_a_first_sync_planned_and_applied_is_the_sync(database: Database, simulator: SimulatorClient) -> None:
    """Children's parents are in no table yet when they are read: they are those that the plan has staged."""
    [org_id] = connect(database, simulator)
    before = seen(database)
    sync_id, plan = make_plan(database, org_id)
    assert {result.status for result in plan.results.values()} == {"planned"}
    assert seen(database) == before
    assert plan.results["people.household_memberships"].inserted > 0
    assert plan.changes["people.people"].counts == {"insert": 30}

    requests = simulator.stats()["requests"]
    applied = apply_plan(database, org_id, sync_id)
    assert statuses(applied) == {}
    assert simulator.stats()["requests"] == requests
    assert {result.requests for result in applied.values()} == {0}
    assert counts(applied) == counts(plan.results)
    assert differences(database, simulator, org_id, STREAMS) == []
    assert staged(database) == 0
    again = apply_plan(database, org_id, sync_id)
    assert counts(again) == counts(applied), "another attempt finds it done"


def test_a_plan_shows_every_kind_of_change_and_applying_it_makes_them(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id] = connect(database, simulator)
    sync(database, org_id, STREAMS)
    emails = [int(identifier) for identifier in stored(database, org_id, people.EMAILS)]
    [keep, remove, *_] = [int(identifier) for identifier in stored(database, org_id, people.PEOPLE)]
    simulator.edit(org_id, "people.emails", [emails[0]], attributes={"location": "Elsewhere"})
    simulator.delete(org_id, "people.phone_numbers", [int(next(iter(stored(database, org_id, people.PHONE_NUMBERS))))])
    [added] = simulator.add(org_id, "people.tabs", attributes={"name": "New"})
    simulator.merge(org_id, "people.people", keep=keep, remove=remove)
    before = seen(database)

    sync_id, plan = make_plan(database, org_id, mode=SyncMode.RECONCILE)
    assert seen(database) == before
    kinds = {name: set(changes.counts) for name, changes in plan.changes.items()}
    assert kinds["people.tabs"] == kinds["people.person_mergers"] == {"insert"}
    assert kinds["people.phone_numbers"] >= {"delete"}
    assert kinds["people.people"] >= {"delete"} or kinds["people.people"] >= {"merge"}
    edited = next(s for s in plan.changes["people.emails"].samples if "location" in s.fields)
    assert (edited.kind, edited.fields["location"][1]) == ("update", "Elsewhere")
    [new] = plan.changes["people.tabs"].samples
    assert (new.record_id, new.fields["name"]) == (str(added), (None, "New"))

    assert statuses(apply_plan(database, org_id, sync_id, mode=SyncMode.RECONCILE)) == {}
    assert differences(database, simulator, org_id, STREAMS) == []


@pytest.mark.parametrize("is_killed", [False, True])
def test_applying_is_checked_as_a_sync_is_also_by_the_attempt_after_one_that_was_killed(
    database: Database, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    emails = [people.EMAILS]
    with running_simulator(made_up_churches(1, people=60), rate_limit=GENEROUS) as simulator:
        [org_id] = connect(database, simulator)
        sync(database, org_id, emails)
        before = stored(database, org_id, people.EMAILS)
        simulator.drop(org_id, "people.emails", [name for name in people.EMAILS.attributes if not name.endswith("_at")])
        sync_id, plan = make_plan(database, org_id, emails, SyncMode.RECONCILE)
        assert plan.results["people.emails"].updated == len(before)
        if is_killed:
            with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
                patch.setattr("openfaith_pipeline.sync.checked.compensate", die)
                apply_plan(database, org_id, sync_id, emails, SyncMode.RECONCILE)
        result = apply_plan(database, org_id, sync_id, emails, SyncMode.RECONCILE)["people.emails"]
        assert result.status == "failed" and "rows_keep_their_content failed" in str(result.error)
        assert stored(database, org_id, people.EMAILS) == before


def test_a_merge_alone_shows_the_person_it_ends(database: Database, simulator: SimulatorClient) -> None:
    [org_id] = connect(database, simulator)
    sync(database, org_id, STREAMS)
    merged = simulator.merge(org_id, "people.people")
    sync_id, plan = make_plan(database, org_id, [people.PERSON_MERGERS])
    assert plan.changes["people.people"].counts == {"merge": 1}
    assert plan.changes["people.people"].samples[0].record_id == str(merged["remove"])
    assert plan.results["people.person_mergers"].merged == 1
    apply_plan(database, org_id, sync_id, [people.PERSON_MERGERS])
    assert str(merged["remove"]) not in stored(database, org_id, people.PEOPLE)


def test_a_plan_that_was_overtaken_is_refused_and_names_the_sync(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id] = connect(database, simulator)
    sync_id, _ = make_plan(database, org_id, [people.TABS, people.EMAILS])
    with database.connect() as connection:
        check_plan(connection, find_plan(connection, sync_id))
    later = sync(database, org_id, [people.EMAILS], sync_id="sync_later")
    assert statuses(later) == {}
    with database.connect() as connection, pytest.raises(PlanStale, match=r"people\.emails .* by sync sync_later"):
        check_plan(connection, find_plan(connection, sync_id))
    before = stored(database, org_id, people.EMAILS)
    results = apply_plan(database, org_id, sync_id, [people.TABS, people.EMAILS])
    assert results["people.tabs"].status == "succeeded"
    assert (results["people.emails"].status, "sync_later" in str(results["people.emails"].error)) == ("failed", True)
    assert stored(database, org_id, people.EMAILS) == before
    assert statuses(sync(database, org_id, [people.EMAILS])) == {}, "its leases are free"


def test_a_row_that_somebody_else_wrote_since_overtakes_it(database: Database, simulator: SimulatorClient) -> None:
    [org_id] = connect(database, simulator)
    sync(database, org_id, [people.TABS])
    sync_id, _ = make_plan(database, org_id, [people.TABS])
    with database.connect() as connection:
        connection.execute(
            "UPDATE pco_people.tabs SET _synced_at = now(), _sync_id = 'webhook_1' WHERE org_id = %s", [org_id]
        )
        connection.commit()
        with pytest.raises(PlanStale, match="webhook_1"):
            check_plan(connection, find_plan(connection, sync_id))


def test_plans_are_given_up_on_request_and_by_age(database: Database, simulator: SimulatorClient) -> None:
    [org_id] = connect(database, simulator)
    simulator.inject(org_id, "people.tabs", {"type": "Tab", "id": None, "attributes": {}})
    old, _ = make_plan(database, org_id, [people.TABS])
    discarded, _ = make_plan(database, org_id, [people.TABS])
    assert staged(database) > 0
    with database.connect() as connection:
        connection.execute(
            "UPDATE sync.stream_syncs SET started_at = now() - interval '13 h' WHERE sync_id = %s", [old]
        )
        with pytest.raises(PlanStale, match="older than 12 hours"):
            check_plan(connection, find_plan(connection, old))
        assert discard_plan(connection, discarded) == 1
        assert give_up_old_plans(connection) == 1
        for sync_id in (old, discarded):
            with pytest.raises(UsageError, match="was discarded"):
                find_plan(connection, sync_id)
        with pytest.raises(UsageError, match="there is no plan 'nonsense'"):
            find_plan(connection, "nonsense")
        held = connection.execute("SELECT count(*) FROM sync.quarantine WHERE resolved_at IS NULL").fetchone()
        assert held == (0,)
    assert staged(database) == 0
    assert statuses(sync(database, org_id, [people.TABS])) == {}


def test_a_plan_whose_process_ended_before_it_was_recorded_is_given_up_with_the_others(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id] = connect(database, simulator)
    with database.connect() as connection:
        begin_sync(connection, SyncStart("plan_killed", None, "incremental", "test", {}))
    asyncio.run(
        plan_streams(database, org_id, [people.TABS], mode=SyncMode.INCREMENTAL, sync_id="plan_killed")
    )  # and killed
    other, _ = make_plan(database, org_id, [people.CAMPUSES])
    with database.connect() as connection:
        connection.execute("UPDATE sync.stream_syncs SET started_at = now() - interval '13 h'")
    done = maintain(database)
    assert done.plans_given_up == 2
    assert staged(database) == 0
    with database.connect() as connection:
        found = connection.execute("SELECT sync_id, status FROM sync.syncs").fetchall()
    assert dict(found) == {"plan_killed": "running", other: "discarded"}


def test_a_plan_being_read_keeps_others_out_and_is_not_discarded(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id] = connect(database, simulator)
    sync_id, _ = make_plan(database, org_id, [people.TABS])
    with database.connect() as connection:
        connection.execute("UPDATE sync.stream_states SET holder = 'elsewhere:1:a', lease_expires_at = now() + '1 min'")
        with pytest.raises(StreamBusy):
            discard_plan(connection, sync_id)


def test_withheld_streams_are_not_planned_and_the_rest_are(database: Database, simulator: SimulatorClient) -> None:
    [org_id] = connect(database, simulator)
    simulator.set_traps(org_id, Traps(forbidden_streams=("people.households",)))
    sync_id, plan = make_plan(database, org_id)
    withheld = {name for name, result in plan.results.items() if result.status != "planned"}
    assert withheld == {"people.households", "people.household_memberships"}
    simulator.set_traps(org_id, Traps())
    rest = [stream for stream in STREAMS if stream.name not in withheld]
    assert statuses(apply_plan(database, org_id, sync_id, rest)) == {}
    assert differences(database, simulator, org_id, rest) == []


def test_an_interrupted_plan_leaves_its_pages_to_the_next_sync(database: Database, simulator: SimulatorClient) -> None:
    [org_id] = connect(database, simulator)

    class Interruption(Exception):
        pass

    class Interrupting:
        def page(self, stream: str, **_: Any) -> None: ...

        def finished(self, result: StreamResult) -> None:
            if result.stream == "people.emails":
                raise Interruption

    with database.connect() as connection:
        begin_sync(connection, SyncStart("plan", None, "incremental", "test", {}))
    with pytest.raises(Interruption):
        asyncio.run(
            plan_streams(
                database,
                org_id,
                [people.EMAILS],
                mode=SyncMode.INCREMENTAL,
                sync_id="plan",
                progress=Interrupting(),
            )
        )
    assert stored(database, org_id, people.EMAILS) == {}
    requests = simulator.stats()["requests"]
    assert statuses(sync(database, org_id, [people.EMAILS])) == {}
    assert simulator.stats()["requests"] == requests
    assert differences(database, simulator, org_id, [people.EMAILS]) == []


def test_a_plan_made_while_an_include_fails_is_applied_as_it_was_read(
    database: Database, simulator: SimulatorClient
) -> None:
    lists = [ALL_STREAMS[f"people.{name}"] for name in ("lists", "rules", "conditions", "list_shares")]
    some = [people.PEOPLE, ALL_STREAMS["people.person_apps"], ALL_STREAMS["people.marital_statuses"], *lists]
    [org_id] = connect(database, simulator)
    simulator.script(Script(answer="server_error", include="rules", times=None))
    simulator.script(Script(answer="server_error", include="marital_status", times=None))
    sync_id, plan = make_plan(database, org_id, some)
    assert {result.status for result in plan.results.values()} == {"planned"}
    requests = simulator.stats()["requests"]
    applied = apply_plan(database, org_id, sync_id, some)
    assert simulator.stats()["requests"] == requests
    assert counts(applied) == counts(plan.results)
    assert {name: result.status for name, result in applied.items() if result.status != "succeeded"} == {
        "people.people": "incomplete"
    }
    assert "include=marital_status" in str(applied["people.people"].error)
    assert differences(database, simulator, org_id, lists) == []

    # The next sync reads the include that had failed, though nothing has changed since.
    simulator.clear_scripts()
    assert statuses(sync(database, org_id, some)) == {}
    assert differences(database, simulator, org_id, some) == []
