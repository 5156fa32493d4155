"""Published changes are undone if a blocking check fails or the run is terminated."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import dagster as dg
import pytest

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.checks.rules import FEWEST_BLANKED
from openfaith_pipeline.database import Database
from openfaith_pipeline.defs import cancellation
from openfaith_pipeline.defs.cancellation import canceled_runs_sensor
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.instance import open_instance
from openfaith_pipeline.defs.run_ends import PutOff
from openfaith_pipeline.errors import StreamBusy
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, between_attempts
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync import compensation
from openfaith_pipeline.sync.compensation import Compensation
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.sync.rollback import OrgRollback, RollbackOrder
from openfaith_pipeline_tests.integration.journal.church import STREAMS_READ, change_the_source, synced
from openfaith_pipeline_tests.integration.replay import replay_differences
from openfaith_pipeline_tests.integration.snapshots import differing, snapshot
from openfaith_pipeline_tests.integration.sync.church import connect, stored, sync
from openfaith_pipeline_tests.rates import GENEROUS

DATABASE = {"database": DatabaseResource()}

EMAILS = STREAMS["people.emails"]
CONTENT = [name for name in EMAILS.attributes if not name.endswith("_at")]


def test_rows_that_lose_all_their_content_are_not_left_so(database: Database) -> None:
    with running_simulator(made_up_churches(1, people=60), rate_limit=GENEROUS) as simulator:
        [org_id] = connect(database, simulator)
        synced(database, org_id, "first")
        with database.connect(autocommit=True) as connection:
            before = snapshot(connection)
            assert len(simulator.drop(org_id, EMAILS.name, CONTENT)) >= FEWEST_BLANKED
            results = sync(database, org_id, STREAMS_READ, SyncMode.RECONCILE, sync_id="second")

            emails = results["people.emails"]
            assert (emails.status, results["people.people"].status) == ("failed", "succeeded")
            assert "rows_keep_their_content failed" in str(emails.error)
            assert differing(before, snapshot(connection)) == []
            assert replay_differences(connection, org_id) == []
            [status] = connection.execute(
                "SELECT status FROM sync.stream_syncs WHERE sync_id = 'second' AND stream = 'people.emails'"
            ).fetchall()
            assert status == ("rolled_back",)

        # A person who knows better says so.
        assert sync(database, org_id, [EMAILS], SyncMode.FULL_REFRESH)["people.emails"].status == "succeeded"


class Killed(BaseException):
    """As if the process had ended."""


def test_rows_published_before_a_kill_are_checked_by_the_next_attempt(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise Killed

    with running_simulator(made_up_churches(1, people=60), rate_limit=GENEROUS) as simulator:
        [org_id] = connect(database, simulator)
        synced(database, org_id, "first")
        with database.connect(autocommit=True) as connection:
            before = snapshot(connection)
            simulator.drop(org_id, EMAILS.name, CONTENT)
            with monkeypatch.context() as patch, pytest.raises(Killed):
                patch.setattr("openfaith_pipeline.sync.checked.compensate", die)
                sync(database, org_id, STREAMS_READ, SyncMode.RECONCILE, sync_id="second")
            assert differing(before, snapshot(connection)) != []
            results = sync(database, org_id, STREAMS_READ, SyncMode.RECONCILE, sync_id="second")
            assert results["people.emails"].status == "failed"
            assert differing(before, snapshot(connection)) == []


def test_a_check_is_of_the_sync_that_published_whichever_came_since(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def after_another(database: Database, org_id: str, sync_id: str, stream: Stream) -> Compensation | None:
        assert sync(database, org_id, [stream], sync_id="between")[stream.name].status == "succeeded"
        return compensation.compensate(database, org_id, sync_id, stream)

    with running_simulator(made_up_churches(1, people=60), rate_limit=GENEROUS) as simulator:
        [org_id] = connect(database, simulator)
        sync(database, org_id, [EMAILS])
        before = stored(database, org_id, EMAILS)
        simulator.drop(org_id, EMAILS.name, CONTENT)
        monkeypatch.setattr("openfaith_pipeline.sync.checked.compensate", after_another)
        assert sync(database, org_id, [EMAILS], SyncMode.RECONCILE)[EMAILS.name].status == "failed"
        assert stored(database, org_id, EMAILS) == before


@pytest.mark.parametrize("is_freed", [True, False])
def test_a_rollback_waits_for_another_sync_of_the_stream_or_says_that_the_rows_are_still_there(
    database: Database, monkeypatch: pytest.MonkeyPatch, is_freed: bool
) -> None:
    holders = iter(["elsewhere:1:a delivery", None] if is_freed else ["elsewhere:1:a long sync"])
    roll_back = compensation.roll_back

    def meet_another(database: Database, order: RollbackOrder) -> list[OrgRollback]:
        with database.connect() as connection:
            connection.execute(
                "UPDATE sync.stream_states SET holder = %s, lease_expires_at = now() + interval '1 h'", (next(holders),)
            )
        return roll_back(database, order)

    with running_simulator(made_up_churches(1, people=60), rate_limit=GENEROUS) as simulator:
        [org_id] = connect(database, simulator)
        sync(database, org_id, [EMAILS])
        before = stored(database, org_id, EMAILS)
        simulator.drop(org_id, EMAILS.name, CONTENT)
        monkeypatch.setattr(compensation, "roll_back", meet_another)
        if not is_freed:
            monkeypatch.setattr(compensation, "BUSY_PATIENCE_SECONDS", -1.0)
        result = sync(database, org_id, [EMAILS], SyncMode.RECONCILE, sync_id="blanking")[EMAILS.name]
        assert result.status == "failed"
        assert (stored(database, org_id, EMAILS) == before) == is_freed
        if not is_freed:
            assert "openfaith-pipeline rollback blanking" in str(result.error)


@pytest.mark.parametrize(
    ("trigger", "is_wanted", "is_undone"), [("ui", True, True), ("ui", False, False), ("cli", True, False)]
)
def test_a_terminated_run_undoes_the_rows_it_had_published(
    database: Database, simulator: SimulatorClient, trigger: str, is_wanted: bool, is_undone: bool
) -> None:
    [org_id] = connect(database, simulator)
    synced(database, org_id, "first")
    with database.connect(autocommit=True) as connection, open_instance(database.settings, database) as instance:
        before = snapshot(connection)
        change_the_source(simulator, org_id)
        job = dg.job(name="pco_sync")(lambda: None)
        tags = {"openfaith/org": org_id, "openfaith/trigger": trigger}
        run = instance.create_run_for_job(job, tags=tags)
        sync(database, org_id, STREAMS_READ, sync_id=run.run_id)
        after = snapshot(connection)
        connection.execute(
            "UPDATE sync.syncs SET status = 'running', finished_at = NULL WHERE sync_id = %s", (run.run_id,)
        )
        instance.report_run_canceled(run)
        told = told_of_cancellation(instance, run, is_wanted=is_wanted)

        assert differing(snapshot(connection), before if is_undone else after) == []
        seen = instance.fetch_observations(dg.AssetKey(["pco_people", "emails"]), limit=5).records
        assert [record.partition_key for record in seen] == ([org_id] if is_undone else [])
        assert ("rolled back" in told) == is_undone
        if is_undone:
            assert "had published nothing" in told_of_cancellation(instance, run, is_wanted=True)


def test_rows_that_another_run_has_changed_since_stay(database: Database, simulator: SimulatorClient) -> None:
    [org_id] = connect(database, simulator)
    with database.connect(autocommit=True) as connection, open_instance(database.settings, database) as instance:
        tags = {"openfaith/org": org_id, "openfaith/trigger": "ui"}
        run = instance.create_run_for_job(dg.job(name="pco_sync")(lambda: None), tags=tags)
        instance.report_run_canceled(run)
        attempt = SyncStart(run.run_id, run.run_id, "incremental", "ui", {})
        for run_id in (run.run_id, "the run of the next attempt"):
            begin_sync(connection, replace(attempt, run_id=run_id))
        sync(database, org_id, STREAMS_READ, sync_id=run.run_id)
        after = snapshot(connection)
        assert "another run has continued" in told_of_cancellation(instance, run, is_wanted=True)
        assert differing(snapshot(connection), after) == []


def test_a_rollback_is_put_off_while_a_turn_that_began_since_holds_the_streams(
    database: Database, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    [org_id] = connect(database, simulator)
    synced(database, org_id, "first")
    monkeypatch.setattr(cancellation, "BUSY_PATIENCE_SECONDS", -1.0)
    with database.connect(autocommit=True) as connection, open_instance(database.settings, database) as instance:
        before = snapshot(connection)
        change_the_source(simulator, org_id)
        tags = {"openfaith/org": org_id, "openfaith/trigger": "ui"}
        run = instance.create_run_for_job(dg.job(name="pco_sync")(lambda: None), tags=tags)
        sync(database, org_id, STREAMS_READ, sync_id=run.run_id)
        instance.report_run_canceled(run)
        lease = "UPDATE sync.stream_states SET holder = %s, lease_expires_at = now() + interval '1 h'"
        connection.execute(lease, ("elsewhere:1:its next turn",))
        with pytest.raises(PutOff):
            told_of_cancellation(instance, run, is_wanted=True)
        with monkeypatch.context() as patch, pytest.raises(StreamBusy):
            patch.setattr(cancellation, "_PUT_OFF_AT_MOST", timedelta(0))
            told_of_cancellation(instance, run, is_wanted=True)
        connection.execute("UPDATE sync.stream_states SET holder = NULL, lease_expires_at = NULL")
        assert "are rolled back" in told_of_cancellation(instance, run, is_wanted=True)
        assert differing(snapshot(connection), before) == []


def test_no_attempt_begins_while_the_one_before_is_undone(database: Database) -> None:
    attempt = SyncStart("sync", "first", "incremental", "ui", {})
    with database.connect(autocommit=True) as connection, ThreadPoolExecutor() as pool:
        begin_sync(connection, attempt)
        with between_attempts(database, "sync") as last_run_id:
            assert last_run_id == "first"
            beginning = pool.submit(begin_sync, connection, replace(attempt, run_id="second"))
            with pytest.raises(TimeoutError):
                beginning.result(timeout=0.5)
        assert beginning.result(timeout=10) is None
        with between_attempts(database, "sync") as last_run_id:
            assert last_run_id == "second"


def told_of_cancellation(instance: dg.DagsterInstance, run: dg.DagsterRun, *, is_wanted: bool) -> str:
    """The sensor's message about the run's cancellation."""
    event = dg.DagsterEvent(dg.DagsterEventType.RUN_CANCELED.value, run.job_name)
    sensed = dg.build_run_status_sensor_context("canceled_runs", event, instance, run, resources=DATABASE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENFAITH_UNDO_CANCELED", str(is_wanted).lower())
        with sensed as context:
            skipped = canceled_runs_sensor(context)
    assert isinstance(skipped, dg.SkipReason)
    return skipped.skip_message or ""
