"""Materializing, backfilling and losing processes, through Dagster's own processes and API."""

import os
import signal
from contextlib import suppress

import psutil
import pytest
from typer.testing import CliRunner

from openfaith_pipeline.cli.app import app
from openfaith_pipeline.defs.execution import run_sync
from openfaith_pipeline.defs.sync_orders import SyncOrder
from openfaith_pipeline.simulator.options import Latency
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.acceptance.dagster.deployment import Deployment

pytestmark = pytest.mark.slow

# A walk of one request for each household, so that there is time to interfere.
WALK = ("pco_people/households", "pco_people/household_memberships")
SLOW = Latency(base_ms=250)


@pytest.fixture
def _slowly(deployment: Deployment):
    deployment.simulator.set_latency(SLOW)
    yield
    deployment.simulator.set_latency(Latency())


def visits(deployment: Deployment, org_id: str) -> int:
    return len(deployment.simulator.requests(org=org_id, stream="people.household_memberships"))


def equals_truth(deployment: Deployment, org_id: str, *streams: str) -> bool:
    return all(deployment.rows(f"pco_{name}", org_id) == deployment.truth(name, org_id) != set() for name in streams)


def test_several_assets_of_one_org(deployment: Deployment, org_id: str) -> None:
    run = deployment.finished(
        deployment.launch(org_id, "pco_people/campuses", "pco_people/service_times", "openfaith/campuses")
    )

    assert run["status"] == "SUCCESS"
    assert equals_truth(deployment, org_id, "people.campuses", "people.service_times")
    with deployment.database.connect() as connection:
        [(made,)] = connection.execute(
            'SELECT count(*) FROM "openfaith_campuses" WHERE "orgId" = %s', (org_id,)
        ).fetchall()
    assert made == len(deployment.truth("people.campuses", org_id))


def test_a_backfill_is_one_run_for_each_org_in_the_requested_mode_behind_all_others(
    deployment: Deployment, org_id: str, other_org_id: str
) -> None:
    mode = {"ops": {"pco_people": {"config": {"mode": "RECONCILE"}}}}
    assets = ("pco_people/campuses", "openfaith/campuses")
    backfill_id = deployment.backfill([org_id, other_org_id], *assets, run_config=mode)

    def runs() -> list[dict[str, object]]:
        return deployment.runs(tags=[{"key": "dagster/backfill", "value": backfill_id}])

    deployment.wait_until(lambda: [run["status"] for run in runs()] == ["SUCCESS"] * 2, "two runs to succeed", 90)
    assert {run["tags"]["openfaith/org"] for run in runs()} == {org_id, other_org_id}
    assert {run["tags"]["dagster/priority"] for run in runs()} == {"-10"}
    with deployment.database.connect() as connection:
        told = connection.execute(
            "SELECT DISTINCT mode, trigger FROM sync.syncs WHERE sync_id = ANY(%s)", ([run["runId"] for run in runs()],)
        ).fetchall()
    assert told == [("reconcile", "backfill")]
    assert equals_truth(deployment, org_id, "people.campuses")
    assert equals_truth(deployment, other_org_id, "people.campuses")


@pytest.mark.usefixtures("_slowly")
def test_two_runs_of_one_org_do_not_overlap(deployment: Deployment, org_id: str, other_org_id: str) -> None:
    ids = [deployment.launch(org_id, "pco_people/campuses") for _ in range(2)]
    other_id = deployment.launch(other_org_id, "pco_people/campuses")

    first, second = sorted((deployment.finished(run_id) for run_id in ids), key=lambda run: run["startTime"])
    other = deployment.finished(other_id)

    assert {first["status"], second["status"], other["status"]} == {"SUCCESS"}
    assert second["startTime"] >= first["endTime"]
    assert other["startTime"] < second["endTime"]


@pytest.mark.usefixtures("_slowly")
def test_a_run_whose_process_is_killed_is_retried_and_completes(deployment: Deployment, org_id: str) -> None:
    run_id = deployment.launch(org_id, *WALK)
    deployment.wait_until(lambda: visits(deployment, org_id) >= 3, "the walk")
    for worker in deployment.workers():  # those of runs that have ended may linger
        with suppress(psutil.NoSuchProcess):
            worker.kill()

    retry = retry_of(deployment, run_id)

    assert deployment.run(run_id)["status"] == "FAILURE"
    assert retry["status"] == "SUCCESS"
    assert retry["tags"]["openfaith/sync_id"] == run_id
    assert equals_truth(deployment, org_id, "people.households", "people.household_memberships")


@pytest.mark.usefixtures("_slowly")
def test_a_run_whose_host_dies_is_noticed_retried_and_completes(deployment: Deployment, org_id: str) -> None:
    run_id = deployment.launch(org_id, *WALK)
    deployment.wait_until(lambda: visits(deployment, org_id) >= 3, "the walk")
    code_server = psutil.Process(deployment.processes["code server"].pid)
    for process in [code_server, *code_server.children(recursive=True)]:
        os.kill(process.pid, signal.SIGKILL)
    deployment.processes["code server"].wait()
    # Dagster wants to retry it while there is no code to launch it with, and gives it up.
    deployment.wait_until(
        lambda: deployment.run(run_id)["tags"].get("dagster/will_retry") == "false", "the run to be given up"
    )
    deployment.start("code server")

    retry = retry_of(deployment, run_id)

    assert retry["status"] == "SUCCESS"
    assert equals_truth(deployment, org_id, "people.households", "people.household_memberships")


@pytest.mark.usefixtures("_slowly")
def test_a_run_that_is_terminated_ends_and_the_next_one_goes_on(deployment: Deployment, org_id: str) -> None:
    run_id = deployment.launch(org_id, *WALK)
    deployment.wait_until(lambda: visits(deployment, org_id) >= 3, "the walk")
    answer = deployment.ask("mutation($id: String!) { terminateRun(runId: $id) { __typename } }", id=run_id)
    assert answer["terminateRun"]["__typename"] == "TerminateRunSuccess"

    assert deployment.finished(run_id, seconds=30)["status"] == "CANCELED"
    with deployment.database.connect() as connection:
        query = "SELECT FROM sync.syncs WHERE sync_id = %s AND status = 'failed' AND error LIKE 'interrupted%%'"
        assert connection.execute(query, (run_id,)).rowcount == 1
    assert deployment.finished(deployment.launch(org_id, *WALK))["status"] == "SUCCESS"
    assert equals_truth(deployment, org_id, "people.households", "people.household_memberships")


def test_a_run_of_the_command_line_is_in_the_ui_and_can_be_repeated_there(deployment: Deployment, org_id: str) -> None:
    report = run_sync(deployment.database, SyncOrder([org_id], [STREAMS["people.campuses"]]))[org_id]
    assert report.status == "succeeded"
    assert deployment.run(report.run_id)["status"] == "SUCCESS"

    answer = deployment.ask(
        """mutation($id: String!) { launchRunReexecution(
            reexecutionParams: {parentRunId: $id, strategy: ALL_STEPS}) {
            __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }""",
        id=report.run_id,
    )["launchRunReexecution"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    again = deployment.finished(answer["run"]["runId"])
    assert again["status"] == "SUCCESS"
    assert again["tags"]["openfaith/sync_id"] == again["runId"]


def retry_of(deployment: Deployment, run_id: str) -> dict[str, object]:
    """The finished run that is launched instead of one that died."""

    def retries() -> list[dict[str, object]]:
        return deployment.runs(tags=[{"key": "dagster/parent_run_id", "value": run_id}])

    deployment.wait_until(retries, f"a retry of {run_id}")
    return deployment.finished(str(retries()[0]["runId"]))


def test_the_code_server_is_healthy_while_its_one_process_lives(deployment: Deployment, org_id: str) -> None:
    """Nothing is between it and what looks after it, which would stay when it ends."""
    port = str(deployment.specs["code server"].port)
    health = ["health", "code-server", "--port", port]
    deployment.wait_until(lambda: CliRunner().invoke(app, health).exit_code == 0, "an answer in time")
    others = psutil.Process(deployment.processes["code server"].pid).children(recursive=True)
    assert [child.cmdline() for child in others if "dagster" in child.cmdline()] == []
    deployment.kill("code server")
    assert CliRunner().invoke(app, health).exit_code == 1

    deployment.restart("code server")

    deployment.wait_until(lambda: deployment.launches(org_id, "pco_people/campuses"), "the webserver to know it again")
