"""Syncs whose run ended without saying so are ended, with their streams; those that somebody goes on with are not."""

from datetime import timedelta
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.events import JobFailureData, RunFailureReason
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs import left_over_syncs
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.instance import LOCATION_NAME
from openfaith_pipeline.defs.left_over_syncs import end_left_over_syncs
from openfaith_pipeline.defs.location import definitions
from openfaith_pipeline.defs.resources import SyncEngine
from openfaith_pipeline.defs.run_handle import CALLER, Caller
from openfaith_pipeline.defs.run_tags import SYNC_ID_TAG, RequestPart
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync
from openfaith_pipeline.orgs.org_ids import new_org_id
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import SyncMode

JOB = "__ASSET_JOB"
ORIGIN = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(LOCATION_NAME), "__repository__"), JOB)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(left_over_syncs, "GRACE", timedelta(0))


def run_of(instance: dg.DagsterInstance, **tags: str) -> dg.DagsterRun:
    run = instance.create_run_for_job(
        definitions().resolve_implicit_global_asset_job_def(),
        tags={"dagster/partition": new_org_id(), **tags},
        asset_selection=frozenset([dg.AssetKey(["pco_people", "campuses"])]),
        remote_job_origin=ORIGIN,
    )
    instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", JOB), run.run_id)
    return run


def begin(database: Database, sync_id: str, run_id: str | None) -> None:
    with database.connect() as connection:
        begin_sync(connection, SyncStart(sync_id, run_id, "incremental", "dagster", {}))
        for stream, expires in (("people.campuses", None), ("people.emails", "1 hour")):
            connection.execute(
                "INSERT INTO sync.stream_states (org_id, stream, holder, lease_expires_at)"
                " VALUES (%s, %s, %s, now() + %s::interval)",
                (sync_id, stream, expires and "elsewhere:1:x", expires),
            )
            connection.execute(
                "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode)"
                " VALUES (%s, %s, %s, %s, 'incremental')",
                (sync_id, sync_id, stream, stream),
            )


def fail(instance: dg.DagsterInstance, run: dg.DagsterRun, reason: RunFailureReason) -> None:
    failure = dg.DagsterEvent("PIPELINE_FAILURE", JOB, event_specific_data=JobFailureData(None, reason))
    instance.report_dagster_event(failure, run.run_id)


def ended(database: Database, instance: dg.DagsterInstance, sync_id: str) -> tuple[str, str | None, list[str]]:
    """Status and error of the sync, and its streams' statuses by name, once left-over syncs were ended."""
    with database.connect() as connection:
        end_left_over_syncs(instance, connection)
    with database.connect() as connection:
        [(status, error)] = connection.execute(
            "SELECT status, error FROM sync.syncs WHERE sync_id = %s", (sync_id,)
        ).fetchall()
        streams = connection.execute(
            "SELECT status FROM sync.stream_syncs WHERE sync_id = %s ORDER BY stream", (sync_id,)
        ).fetchall()
    return status, error, [row[0] for row in streams]


def test_a_run_that_is_terminated_says_so_itself(database: Database) -> None:
    caller, sync_id = Caller(database), str(uuid4())
    caller.stop()
    token = CALLER.set(caller)
    try:
        with (
            dg.build_resources({"engine": SyncEngine(database=DatabaseResource())}) as resources,
            pytest.raises(dg.DagsterExecutionInterruptedError),
        ):
            request = RequestPart(new_org_id(), sync_id, sync_id, "dagster")
            resources.engine.sync(request, [STREAMS["people.campuses"]], SyncMode.INCREMENTAL)
    finally:
        CALLER.reset(token)
    with database.connect() as connection:
        found = connection.execute("SELECT status, error FROM sync.syncs WHERE sync_id = %s", (sync_id,)).fetchall()
    assert found == [("failed", "interrupted: its run was terminated")]


def test_a_sync_ends_with_its_run(database: Database, instance: dg.DagsterInstance) -> None:
    run = run_of(instance)
    begin(database, run.run_id, run.run_id)
    assert ended(database, instance, run.run_id)[0] == "running", "its run lives"

    instance.report_run_canceled(run)
    status, error, streams = ended(database, instance, run.run_id)
    assert (status, streams) == ("interrupted", ["failed", "running"]), "the lease of the other stream is somebody's"
    assert error == f"interrupted: run {run.run_id} was terminated"


def test_a_killed_run_that_is_retried_has_its_sync_go_on_and_the_last_ends_it(
    database: Database, instance: dg.DagsterInstance
) -> None:
    retried = run_of(instance)
    begin(database, retried.run_id, retried.run_id)
    fail(instance, retried, RunFailureReason.RUN_EXCEPTION)
    assert ended(database, instance, retried.run_id)[0] == "running"

    last = run_of(instance, **{"dagster/max_retries": "0", SYNC_ID_TAG: "killed for good"})
    begin(database, "killed for good", last.run_id)
    fail(instance, last, RunFailureReason.RUN_EXCEPTION)
    status, error, _ = ended(database, instance, "killed for good")
    assert (status, error) == ("interrupted", f"interrupted: run {last.run_id} ended before it did")


def test_a_sync_of_no_run_and_one_of_several_runs_are_their_makers(
    database: Database, instance: dg.DagsterInstance
) -> None:
    begin(database, "of no run", None)
    assert ended(database, instance, "of no run")[0] == "running"

    runs = [run_of(instance, **{SYNC_ID_TAG: "of two"}) for _ in range(2)]
    begin(database, "of two", None)
    instance.report_run_canceled(runs[0])
    assert ended(database, instance, "of two")[0] == "running"
    instance.report_run_canceled(runs[1])
    assert ended(database, instance, "of two")[0] == "interrupted"
