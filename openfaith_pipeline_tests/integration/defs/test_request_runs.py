"""The requests sensor launches runs for requests and settles the requests by their runs."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.instance import LOCATION_NAME
from openfaith_pipeline.defs.location import definitions
from openfaith_pipeline.defs.request_runs import serve_requests
from openfaith_pipeline.defs.retries import lost_retries
from openfaith_pipeline.defs.sensors import requests_sensor
from openfaith_pipeline.inbox.requests import Ask, Request, cancel_request, get_request, resume_request, submit
from openfaith_pipeline.inbox.sync_requests import request_sync
from openfaith_pipeline.workflows.activity_log import lock_execution
from openfaith_pipeline.workflows.execution import Executor
from openfaith_pipeline_tests.integration.inbox.conftest import connected_org

DATABASE = {"database": DatabaseResource()}

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Desk:
    """The sensor with one org, its requests, and runs whose end the test chooses."""

    def __init__(self, database: Database, instance: dg.DagsterInstance) -> None:
        self.database, self.instance = database, instance
        self.org_id = connected_org(database)

    def ask(self, **how: Any) -> str:
        """Of one stream: to create the run of a whole sync takes seconds."""
        with self.database.connect() as connection:
            return request_sync(
                connection, self.org_id, **{"trigger": "api", "streams": ["people.campuses"], **how}, adapter="pco"
            )

    def tick(self) -> list[dg.RunRequest]:
        """The runs of this org that the sensor requests."""
        with self.database.connect() as connection:
            wanted = serve_requests(self.instance, self.database, connection)
        return [each for each in wanted if each.tags["openfaith/org"] == self.org_id]

    def lost(self) -> list[dg.RunRequest]:
        """The retries of this org that the sensor requests after Dagster's daemon has passed all events in the log."""
        passed = str(self.instance.event_log_storage.get_maximum_record_id())
        self.instance.daemon_cursor_storage.set_cursor_values({"EVENT_LOG_CONSUMER_CURSOR-PIPELINE_FAILURE": passed})
        return [each for each in lost_retries(self.instance) if each.partition_key == self.org_id]

    def request(self, request_id: str) -> Request:
        with self.database.connect() as connection:
            return get_request(connection, request_id)

    def cancel(self, request_id: str) -> None:
        with self.database.connect() as connection:
            cancel_request(connection, request_id)

    def run(self, wanted: dg.RunRequest, *events: str, **more: Any) -> dg.DagsterRun:
        """A run as Dagster makes it for the request, with these events of its life."""
        origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(LOCATION_NAME), "__repository__")
        run = self.instance.create_run_for_job(
            definitions().resolve_job_def(str(wanted.job_name)),
            tags={
                **wanted.tags,
                "dagster/run_key": str(wanted.run_key),
                "dagster/partition": str(wanted.partition_key),
                **more.pop("tags", {}),
            },
            asset_selection=frozenset(wanted.asset_selection),
            remote_job_origin=RemoteJobOrigin(origin, str(wanted.job_name)),
            **more,
        )
        for event in events:
            self.instance.report_dagster_event(dg.DagsterEvent(event, run.job_name), run.run_id)
        return run


@pytest.fixture
def desk(shared_place: tuple[Database, dg.DagsterInstance]) -> Desk:
    return Desk(*shared_place)


def test_a_request_requests_its_run_until_there_is_one(desk: Desk) -> None:
    request_id = desk.ask(idempotency_key="nightly", mode="reconcile", streams=["people.emails"])

    [first], [second] = desk.tick(), desk.tick()

    assert first.run_key == second.run_key == f"{desk.org_id}:nightly"
    assert first.tags["openfaith/idempotency_key"] == "nightly"
    assert first.tags["openfaith/sync_id"] == request_id
    assert first.partition_key == desk.org_id
    assert first.run_config == {"ops": {"pco_people": {"config": {"mode": "RECONCILE"}}}}
    assert dg.AssetKey(["openfaith", "emails"]) in first.asset_selection
    assert dg.AssetKey(["pco_people", "people"]) not in first.asset_selection
    assert desk.org_id in desk.instance.get_dynamic_partitions("org")

    run = desk.run(first)
    assert len(desk.tick()) == 1, "created, and the daemon was killed before it was queued"
    desk.instance.report_dagster_event(dg.DagsterEvent("PIPELINE_ENQUEUED", run.job_name), run.run_id)
    assert desk.tick() == []
    assert desk.request(request_id).run_id == run.run_id


def test_the_runs_of_all_requests_are_looked_up_together(
    desk: Desk, shared_place: tuple[Database, dg.DagsterInstance], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a silence of webhooks there is one for each of a thousand churches, every few seconds."""
    desks = [desk, Desk(*shared_place), Desk(*shared_place)]
    request_ids = [each.ask() for each in desks]
    look_up, looks = desk.instance.get_run_records, list[object]()

    def counted(*arguments: Any, **named: Any) -> Any:
        looks.append(arguments)
        return look_up(*arguments, **named)

    monkeypatch.setattr(desk.instance, "get_run_records", counted)
    with desk.database.connect() as connection:
        wanted = serve_requests(desk.instance, desk.database, connection)
    assert {each.org_id for each in desks} <= {each.tags["openfaith/org"] for each in wanted}
    assert len(looks) <= 2
    for request_id in request_ids:
        desk.cancel(request_id)
    assert desk.tick() == []


def test_the_sensor_reports_to_dagster(desk: Desk) -> None:
    with dg.build_sensor_context(instance=desk.instance, resources=DATABASE) as context:
        assert isinstance(requests_sensor(context), dg.SkipReason)
        desk.ask()
        [wanted] = requests_sensor(context)
    assert wanted.job_name == "pco_sync"


@pytest.mark.parametrize(
    ("event", "status"),
    [("PIPELINE_SUCCESS", "succeeded"), ("PIPELINE_FAILURE", "failed"), ("PIPELINE_CANCELED", "canceled")],
)
def test_the_end_of_the_run_is_the_end_of_the_request(desk: Desk, event: str, status: str) -> None:
    request_id = desk.ask()
    [wanted] = desk.tick()
    run = desk.run(wanted, "PIPELINE_START", tags={"dagster/max_retries": "0"})
    desk.tick()
    assert desk.request(request_id).status == "running"
    desk.instance.report_dagster_event(dg.DagsterEvent(event, run.job_name), run.run_id)
    desk.tick()

    ended = desk.request(request_id)
    assert (ended.status, ended.is_open) == (status, False)
    assert (ended.error is None) == (status == "succeeded")
    assert desk.tick() == []


def test_a_crash_is_no_end_as_often_as_it_is_retried(desk: Desk) -> None:
    request_id = desk.ask()
    run = desk.run(desk.tick()[0], "PIPELINE_START", tags={"dagster/max_retries": "1"})
    crash = dg.DagsterEvent("PIPELINE_FAILURE", run.job_name)
    desk.instance.run_storage.handle_run_event(run.run_id, crash, datetime.now(UTC))  # Dagster's first step
    assert desk.tick() == []
    assert desk.request(request_id).is_open

    desk.instance.report_dagster_event(crash, run.run_id)
    desk.instance.add_run_tags(run.run_id, {"dagster/will_retry": "false"})  # by a retry daemon that found no code
    desk.tick()
    assert desk.request(request_id).is_open
    [again] = desk.lost()
    assert again.tags["openfaith/request_id"] == again.tags["openfaith/sync_id"] == request_id
    retry = desk.run(again, "PIPELINE_START")
    assert desk.lost() == []
    desk.tick()
    assert (desk.request(request_id).run_id, desk.request(request_id).status) == (retry.run_id, "running")

    desk.instance.report_dagster_event(crash, retry.run_id)
    desk.tick()
    assert desk.request(request_id).status == "failed"
    assert desk.lost() == []


def test_a_retry_carries_the_request_on(desk: Desk) -> None:
    request_id = desk.ask()
    [wanted] = desk.tick()
    crashed = desk.run(wanted, "PIPELINE_START", "PIPELINE_FAILURE", tags={"dagster/will_retry": "true"})
    desk.instance.add_run_tags(crashed.run_id, {"dagster/auto_retry_run_id": "soon"})
    retry = desk.run(
        wanted,
        "PIPELINE_START",
        tags={"dagster/is_resume_retry": "true"},
        parent_run_id=crashed.run_id,
        root_run_id=crashed.run_id,
    )
    desk.tick()
    assert (desk.request(request_id).run_id, desk.request(request_id).status) == (retry.run_id, "running")


def test_a_request_that_is_canceled_before_it_has_a_run_gets_none(desk: Desk) -> None:
    request_id = desk.ask()
    desk.tick()
    desk.cancel(request_id)
    assert desk.request(request_id).status == "launched"
    assert desk.tick() == []
    assert desk.request(request_id).status == "canceled"


def test_a_run_that_is_canceled_in_the_queue_leaves_it(desk: Desk) -> None:
    request_id = desk.ask()
    run = desk.run(desk.tick()[0], "PIPELINE_ENQUEUED")
    desk.cancel(request_id)
    desk.tick()
    desk.tick()
    assert desk.request(request_id).status == "canceled"
    assert desk.instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.CANCELED


def test_a_run_that_comes_too_late_does_nothing(desk: Desk) -> None:
    request_id = desk.ask(streams=["people.campuses"])
    [wanted] = desk.tick()
    desk.cancel(request_id)
    job = definitions().resolve_job_def("pco_sync")
    run = desk.run(wanted, tags={"dagster/max_retries": "0"}, run_config={**wanted.run_config, **QUIET})
    execute_run(InMemoryJob(job), run, desk.instance)

    assert desk.instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.CANCELED
    with desk.database.connect() as connection:
        assert connection.execute("SELECT FROM sync.syncs WHERE sync_id = %s", (request_id,)).fetchone() is None


def test_a_request_that_this_version_cannot_carry_out_fails_alone(desk: Desk) -> None:
    with desk.database.connect() as connection:
        unknown, _ = submit(connection, Ask("ForgottenWorkflow", desk.org_id, {}, "api"))
        streams = {"tokenKey": desk.org_id, "adapter": "pco", "mode": "incremental", "streams": ["people.gone"]}
        gone, _ = submit(connection, Ask("ExternalSyncWorkflow", desk.org_id, streams, "api"))
    assert desk.tick() == []
    desk.ask()
    assert len(desk.tick()) == 1
    assert "no workflow 'ForgottenWorkflow'" in desk.request(unknown.request_id).error
    assert "people.gone" in desk.request(gone.request_id).error


def test_a_workflow_is_run_by_its_job_and_its_results_are_kept(desk: Desk) -> None:
    with desk.database.connect() as connection:
        request, _ = submit(connection, Ask("CreateOrgWorkflow", desk.org_id, _first_church(desk), "api"))
    carried_out(desk)

    ended = desk.request(request.request_id)
    assert ended.status == "succeeded"
    assert len(ended.result["seed_sacraments"]) == 3
    with desk.database.connect() as connection:
        kinds = connection.execute(
            'SELECT type, "createdBy" FROM openfaith_sacraments WHERE "orgId" = %s ORDER BY 1', (desk.org_id,)
        ).fetchall()
        registered = connection.execute(
            'SELECT "sourceEntityType", "targetEntityTypes" FROM "openfaith_entityRelationships" WHERE "orgId" = %s',
            (desk.org_id,),
        ).fetchall()
    assert kinds == [(kind, "user_1") for kind in ("baptismHolySpirit", "baptismWater", "salvation")]
    register = dict(registered)
    assert register["person"] == ["address", "campus", "person", "phoneNumber", "user"]
    assert register["user"] == ["person"]


def test_a_workflow_that_fails_for_good_says_why_and_may_be_resumed(desk: Desk) -> None:
    with desk.database.connect() as connection:
        # Without credentials there is nothing to ask Planning Center with.
        connection.execute("DELETE FROM sync.connections WHERE org_id = %s", (desk.org_id,))
        request, _ = submit(connection, Ask("OnboardOrgWorkflow", desk.org_id, {"orgId": desk.org_id}, "api"))
    carried_out(desk)
    failed = desk.request(request.request_id)
    assert (failed.status, failed.result) == ("failed", {})
    assert "ask_planning_center failed" in failed.error

    with desk.database.connect() as connection:
        resume_request(connection, request.request_id)
    [again] = desk.tick()
    assert again.run_key == f"{request.request_id}#2"


@pytest.mark.parametrize("place", ["in the second", "between the two", "killed"])
def test_a_workflow_that_is_terminated_is_undone(desk: Desk, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    carry_out = Executor.run

    def run(executor: Executor, name: str) -> Any:
        [run] = desk.instance.get_runs(dg.RunsFilter(tags={"openfaith/request_id": executor.request_id}))
        if name == "seed_sacraments":
            carry_out(executor, name)
            if place == "between the two":
                desk.instance.report_run_canceling(run)
            return
        desk.instance.report_run_canceling(run)
        if place == "killed":
            desk.instance.report_run_canceled(run)
        raise KeyboardInterrupt if place == "killed" else dg.DagsterExecutionInterruptedError

    monkeypatch.setattr(Executor, "run", run)
    with desk.database.connect() as connection:
        request, _ = submit(connection, Ask("CreateOrgWorkflow", desk.org_id, _first_church(desk), "api"))
    carried_out(desk)

    assert desk.request(request.request_id).status == "canceled"
    assert _seeded(desk) == 0


def test_a_terminated_workflow_is_undone_after_an_activity_that_outlives_its_run(desk: Desk) -> None:
    with desk.database.connect() as connection:
        request, _ = submit(connection, Ask("CreateOrgWorkflow", desk.org_id, _first_church(desk), "api"))
    [wanted] = desk.tick()
    run = desk.instance.create_run_for_job(definitions().resolve_job_def(str(wanted.job_name)), tags=wanted.tags)
    Executor(desk.database, request.request_id).run("seed_sacraments")
    with desk.database.connect() as activity:
        lock_execution(activity, request.request_id)
        desk.instance.report_run_canceled(run)
        desk.tick()
        assert (desk.request(request.request_id).is_open, _seeded(desk)) == (True, 3)
    desk.tick()
    assert (desk.request(request.request_id).status, _seeded(desk)) == ("canceled", 0)


def _first_church(desk: Desk) -> dict[str, str]:
    return {"organizationId": desk.org_id, "name": "First Church", "slug": "first", "userId": "user_1"}


def _seeded(desk: Desk) -> int:
    with desk.database.connect() as connection:
        seeded = connection.execute('SELECT FROM openfaith_sacraments WHERE "orgId" = %s', (desk.org_id,))
        return len(seeded.fetchall())


def carried_out(desk: Desk) -> None:
    """Execute all requested runs in this process."""
    for wanted in desk.tick():
        job = definitions().resolve_job_def(str(wanted.job_name))
        tags = {**wanted.tags, "dagster/max_retries": "0"}
        run = desk.instance.create_run_for_job(job, tags=tags, run_config=QUIET)
        execute_run(InMemoryJob(job), run, desk.instance)
    desk.tick()
