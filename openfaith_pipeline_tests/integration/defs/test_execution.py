"""Runs executed in this process, from a simulator into a real database."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace

import dagster as dg
import pytest
from pydantic import SecretStr

from openfaith_pipeline.catalog import STREAMS, Product, streams_of
from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.execution import SyncOrder, run_sync
from openfaith_pipeline.defs.heartbeat import beating
from openfaith_pipeline.defs.instance import open_instance
from openfaith_pipeline.errors import OrgPaused, StreamBusy, UnknownOrg
from openfaith_pipeline.orgs.cipher import cipher_from
from openfaith_pipeline.orgs.registry import add_org, pause_org
from openfaith_pipeline.planning_center import PersonalAccessToken
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sync import StreamResult

ORGS = [church.org_id for church in made_up_churches(3, people=5)]
CAMPUSES = [STREAMS["people.campuses"]]


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(3, people=5)) as simulator:
        yield simulator


@pytest.fixture
def connected(database: Database, simulator: SimulatorClient) -> Database:
    """The test's database, three churches connected."""
    connected = replace(database, settings=database.settings.model_copy(update={"pco_api_url": simulator.url}))
    with connected.connect() as connection:
        for org_id in ORGS:
            token = simulator.credentials(org_id)
            credentials = PersonalAccessToken(token.app_id, SecretStr(token.secret))
            add_org(connection, cipher_from(connected.settings), org_id, "a church", credentials)
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
        add_org(connection, cipher_from(connected.settings), ORGS[0], "a church", refused)

    reports = run_sync(connected, SyncOrder(ORGS[:2], CAMPUSES))

    assert [reports[org_id].status for org_id in ORGS[:2]] == ["failed", "succeeded"]
    assert reports[ORGS[0]].error
    assert "wrong" not in reports[ORGS[0]].error
    assert [status for _, _, status in recorded(connected)] == ["failed"]


def test_an_interrupt_ends_the_run_as_canceled(connected: Database) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_sync(connected, SyncOrder(ORGS[:1], streams_of(Product.PEOPLE)), progress=lambda _: Interrupter())

    assert statuses(connected) == {ORGS[0]: "CANCELED"}
    assert [status for _, _, status in recorded(connected)] == ["failed"]
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


def test_orgs_that_cannot_be_synced_are_refused_before_anything_runs(connected: Database) -> None:
    with pytest.raises(UnknownOrg):
        run_sync(connected, SyncOrder([ORGS[0], "org_01k5t0w2m1e9qv4y8z3n7b6c5d"], CAMPUSES))
    with connected.connect() as connection:
        pause_org(connection, ORGS[1])
    with pytest.raises(OrgPaused):
        run_sync(connected, SyncOrder(ORGS[:2], CAMPUSES))
    assert statuses(connected) == {}


def test_dagsters_log_is_shown_only_when_asked_for(connected: Database, capfd: pytest.CaptureFixture[str]) -> None:
    run_sync(connected, SyncOrder(ORGS[:1], CAMPUSES))
    assert "dagster" not in capfd.readouterr().err
    run_sync(connected, SyncOrder(ORGS[:1], CAMPUSES), is_verbose=True)
    assert "RUN_SUCCESS" in capfd.readouterr().err


def a_started_run(instance: dg.DagsterInstance) -> dg.DagsterRun:
    job = dg.job(name="any")(lambda: None)
    run = instance.create_run_for_job(job, tags={"dagster/partition": ORGS[0], "openfaith/org": ORGS[0]})
    instance.report_dagster_event(dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name), run.run_id)
    return run
