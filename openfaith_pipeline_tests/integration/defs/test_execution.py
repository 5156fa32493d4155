"""Runs executed in this process, from a simulator into a real database."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.execution import join_runs, run_sync
from openfaith_pipeline.defs.heartbeat import beating
from openfaith_pipeline.defs.instance import open_instance
from openfaith_pipeline.defs.sync_orders import SyncOrder
from openfaith_pipeline.errors import IdempotencyKeyReused, OrgPaused, StreamBusy, UnknownOrg
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync
from openfaith_pipeline.network.rate_ledger import Claim, Grant, Priority, RateLedger
from openfaith_pipeline.orgs.registry import pause_org
from openfaith_pipeline.planning_center import PersonalAccessToken
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.options import Traps
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS, streams_of
from openfaith_pipeline.sync.results import StreamResult, SyncMode
from openfaith_pipeline_tests.rates import GENEROUS

ORGS = [church.org_id for church in made_up_churches(3, people=5)]
CAMPUSES = [STREAMS["people.campuses"]]


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(3, people=5), rate_limit=GENEROUS) as simulator:
        yield simulator


@pytest.fixture
def connected(database: Database, simulator: SimulatorClient) -> Database:
    """The test's database, three churches connected."""
    connected = replace(database, settings=database.settings.model_copy(update={"pco_api_url": simulator.url}))
    with connected.connect() as connection:
        for org_id in ORGS:
            token = simulator.credentials(org_id)
            credentials = PersonalAccessToken(token.app_id, SecretStr(token.secret))
            add_org(connection, cipher_from(connected.settings), org_id, "a church", credentials, adapter="pco")
    return connected


@dataclass
class Interrupter:
    """Progress during which a person presses Ctrl-C once."""

    is_done: bool = False

    def page(self, stream: str, *, fetched: int, requests: int, waited_seconds: float) -> None: ...

    def finished(self, _result: StreamResult) -> None:
        if not self.is_done:
            self.is_done = True
            os.kill(os.getpid(), signal.SIGINT)


def statuses(database: Database) -> dict[str, str]:
    with open_instance(database.settings, database) as instance:
        return {run.tags["openfaith/org"]: run.status.value for run in instance.get_runs()}


def recorded(database: Database) -> list[tuple[str, str, str]]:
    with database.connect() as connection:
        return connection.execute("SELECT sync_id, trigger, status FROM sync.syncs").fetchall()


def test_a_stream_that_is_answered_with_silence_is_withheld_and_the_run_succeeds(
    connected: Database, simulator: SimulatorClient
) -> None:
    [stream], org_id = [STREAMS["groups.tag_groups"]], ORGS[0]
    run_sync(connected, SyncOrder([org_id], [stream], sync_id="before"))
    simulator.set_traps(org_id, Traps(silent_products=("groups",)))
    try:
        order = SyncOrder([org_id], [stream], mode=SyncMode.RECONCILE, sync_id="silent")
        report = run_sync(connected, order)[org_id]
    finally:
        simulator.set_traps(org_id, Traps())

    assert (report.status, report.streams[stream.name].status) == ("succeeded", "withheld")
    assert (report.sync_id, recorded(connected)[-1][2]) == ("silent", "succeeded")
    with open_instance(connected.settings, connected) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["pco_groups", "tag_groups"]))
        assert event is not None and event.asset_materialization is not None
        told = event.asset_materialization.metadata
    assert told["status"].value == "withheld"
    assert "may not be read" in str(told["reason"].value)
    assert told["dagster/partition_row_count"].value == report.streams[stream.name].row_count != 0


def test_each_org_is_a_run_of_the_instance_and_all_are_one_sync(connected: Database) -> None:
    order = SyncOrder(ORGS, CAMPUSES, sync_id="sync-1")

    reports = run_sync(connected, order)

    assert {report.status for report in reports.values()} == {"succeeded"}
    assert [report.streams["people.campuses"].status for report in reports.values()] == ["succeeded"] * 3
    assert all("campuses" in report.tables for report in reports.values())
    with open_instance(connected.settings, connected) as instance:
        runs = {run.run_id: run for run in instance.get_runs()}
        assert set(runs) == {report.run_id for report in reports.values()}
        assert {run.tags["openfaith/sync_id"] for run in runs.values()} == {"sync-1"}
        assert sorted(instance.get_dynamic_partitions("org")) == sorted(ORGS)
        seen = instance.get_materialized_partitions(dg.AssetKey(["pco_people", "campuses"]))
        assert seen == set(ORGS)
    assert recorded(connected) == [("sync-1", "cli", "succeeded")]


def test_an_org_that_fails_does_not_keep_the_others(connected: Database) -> None:
    refused = PersonalAccessToken("nobody", SecretStr("wrong"))
    with connected.connect() as connection:
        add_org(connection, cipher_from(connected.settings), ORGS[0], "a church", refused, adapter="pco")

    reports = run_sync(connected, SyncOrder(ORGS[:2], CAMPUSES))

    assert [reports[org_id].status for org_id in ORGS[:2]] == ["failed", "succeeded"]
    assert reports[ORGS[0]].error
    assert "wrong" not in reports[ORGS[0]].error
    assert [status for _, _, status in recorded(connected)] == ["failed"]


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Also where the tests were started in the background, which has SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_an_interrupt_ends_the_run_as_canceled(connected: Database) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_sync(connected, SyncOrder(ORGS[:1], streams_of(Product.PEOPLE)), progress=lambda _: Interrupter())

    assert statuses(connected) == {ORGS[0]: "CANCELED"}
    assert [status for _, _, status in recorded(connected)] == ["interrupted"]
    assert run_sync(connected, SyncOrder(ORGS[:1], CAMPUSES))[ORGS[0]].status == "succeeded"


def test_an_org_that_is_being_synced_is_refused(connected: Database) -> None:
    with open_instance(connected.settings, connected) as instance:
        run = a_started_run(instance)
        with beating(connected, run.run_id), pytest.raises(StreamBusy, match=run.run_id):
            run_sync(connected, SyncOrder(ORGS[:1], CAMPUSES))


def test_a_run_whose_process_is_gone_is_ended_first(connected: Database) -> None:
    with open_instance(connected.settings, connected) as instance:
        run = a_started_run(instance)
        with beating(connected, run.run_id):
            pass
        with connected.connect() as connection:
            connection.execute("UPDATE sync.run_leases SET beat_at = now() - interval '1 hour'")

        assert run_sync(connected, SyncOrder(ORGS[:1], CAMPUSES))[ORGS[0]].status == "succeeded"
        assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE


def keyed(key: str, **more: Any) -> SyncOrder:
    return SyncOrder(ORGS[:1], more.pop("streams", CAMPUSES), idempotency_key=key, **more)


def test_a_key_that_was_used_brings_the_earlier_sync_and_runs_nothing(connected: Database) -> None:
    first = run_sync(connected, keyed("today", sync_id="sync-1"))[ORGS[0]]
    again = run_sync(connected, keyed("today"))[ORGS[0]]
    assert (again.sync_id, again.run_id, again.status) == ("sync-1", first.run_id, "succeeded")
    assert again.streams["people.campuses"].inserted == first.streams["people.campuses"].inserted > 0
    assert run_sync(connected, keyed("tomorrow"))[ORGS[0]].run_id != first.run_id
    with open_instance(connected.settings, connected) as instance:
        assert [run.tags["openfaith/idempotency_key"] for run in instance.get_runs()] == ["tomorrow", "today"]
    with pytest.raises(IdempotencyKeyReused, match="sync-1"):
        run_sync(connected, keyed("today", mode=SyncMode.RECONCILE))


def test_a_key_of_a_sync_whose_process_died_goes_on_with_it(connected: Database) -> None:
    order = keyed("today", sync_id="sync-1")
    with connected.connect() as connection:
        begin_sync(connection, SyncStart("sync-1", None, order.mode, "cli", order.asked, order.key))
    again = run_sync(connected, keyed("today"))[ORGS[0]]
    assert (again.sync_id, again.status) == ("sync-1", "succeeded")
    assert recorded(connected) == [("sync-1", "cli", "succeeded")]


def test_many_with_one_key_at_once_are_one_sync(connected: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: run_sync(connected, keyed("today"))[ORGS[0]], range(4)))
    assert len({report.sync_id for report in reports}) == len({report.run_id for report in reports}) == 1
    assert [status for _, _, status in recorded(connected)] == ["succeeded"]


class Slowly:
    """Slow progress that signals when the run is under way."""

    def __init__(self) -> None:
        self.is_under_way = Event()

    def page(self, stream: str, *, fetched: int, requests: int, waited_seconds: float) -> None: ...

    def finished(self, _result: StreamResult) -> None:
        self.is_under_way.set()
        time.sleep(1)


def test_a_caller_who_joins_gets_the_results_of_the_live_run(connected: Database) -> None:
    heard = Slowly()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            run_sync, connected, SyncOrder(ORGS[:1], CAMPUSES, sync_id="sync-1"), progress=lambda _: heard
        )
        assert heard.is_under_way.wait(60)
        with pytest.raises(StreamBusy) as busy:
            run_sync(connected, SyncOrder(ORGS[:1], CAMPUSES))
        joined = join_runs(connected, SyncOrder(ORGS[:1], CAMPUSES))
        first = running.result()[ORGS[0]]
    assert busy.value.run_id == first.run_id
    assert joined is not None
    assert (joined[ORGS[0]].sync_id, joined[ORGS[0]].run_id) == ("sync-1", first.run_id)
    assert joined[ORGS[0]].streams.keys() == first.streams.keys()
    assert len(recorded(connected)) == 1
    assert join_runs(connected, SyncOrder(ORGS[:1], CAMPUSES)) is None, "nothing is left to join"


def test_a_run_that_reads_less_is_waited_for_and_not_joined(connected: Database) -> None:
    heard = Slowly()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_sync, connected, SyncOrder(ORGS[:1], CAMPUSES), progress=lambda _: heard)
        assert heard.is_under_way.wait(60)
        assert join_runs(connected, SyncOrder(ORGS[:1], CAMPUSES, SyncMode.RECONCILE)) is None
        assert running.done() or running.result(timeout=5)


def test_each_org_syncs_its_chosen_streams(connected: Database) -> None:
    choices = {ORGS[0]: [STREAMS["people.tabs"]], ORGS[1]: CAMPUSES}
    reports = run_sync(connected, SyncOrder(ORGS[:2], tuple(STREAMS.values()), choices=choices))
    assert {org_id: list(report.streams) for org_id, report in reports.items()} == {
        ORGS[0]: ["people.tabs"],
        ORGS[1]: ["people.campuses"],
    }


def test_orgs_that_cannot_be_synced_are_refused_before_anything_runs(connected: Database) -> None:
    with pytest.raises(UnknownOrg):
        run_sync(connected, SyncOrder([ORGS[0], "org_01k5t0w2m1e9qv4y8z3n7b6c5d"], CAMPUSES))
    with connected.connect() as connection:
        pause_org(connection, ORGS[1])
    with pytest.raises(OrgPaused):
        run_sync(connected, SyncOrder(ORGS[:2], CAMPUSES))
    assert statuses(connected) == {}


def test_dagsters_log_is_shown_only_on_request(connected: Database, capfd: pytest.CaptureFixture[str]) -> None:
    run_sync(connected, SyncOrder(ORGS[:1], CAMPUSES))
    assert "dagster" not in capfd.readouterr().err
    run_sync(connected, SyncOrder(ORGS[:1], CAMPUSES), is_verbose=True)
    assert "RUN_SUCCESS" in capfd.readouterr().err


def a_started_run(instance: dg.DagsterInstance) -> dg.DagsterRun:
    job = dg.job(name="any")(lambda: None)
    run = instance.create_run_for_job(job, tags={"dagster/partition": ORGS[0], "openfaith/org": ORGS[0]})
    instance.report_dagster_event(dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name), run.run_id)
    return run


@pytest.mark.parametrize(("trigger", "priority"), [("backfill", Priority.BACKFILL), ("cli", Priority.INCREMENTAL)])
def test_a_backfill_has_the_lowest_priority_at_planning_center(
    connected: Database, monkeypatch: pytest.MonkeyPatch, trigger: str, priority: Priority
) -> None:
    claims: list[Claim] = []
    exchange = RateLedger.exchange

    def noted(ledger: RateLedger, claim: Claim, now: float) -> Grant:
        claims.append(claim)
        return exchange(ledger, claim, now)

    monkeypatch.setattr(RateLedger, "exchange", noted)
    assert run_sync(connected, SyncOrder(ORGS[:1], CAMPUSES, trigger=trigger))[ORGS[0]].status == "succeeded"
    assert {claim.priority for claim in claims} == {priority}
