"""Requests to the service are carried out by Dagster's processes, even when any of them is killed."""

from typing import Any

import pytest

from openfaith_pipeline.simulator.options import Latency
from openfaith_pipeline_tests.acceptance.dagster.deployment import Deployment

pytestmark = pytest.mark.slow

SYNC = "/workflows/ExternalSyncWorkflow"
WALK = ["people.households", "people.household_memberships"]
SLOW = Latency(base_ms=5000)  # so that it is canceled before it ends


def ask(deployment: Deployment, org_id: str, *streams: str, key: str | None = None) -> dict[str, Any]:
    payload = {"tokenKey": org_id, "adapter": "pco", "streams": list(streams)}
    headers = {"idempotency-key": key} if key else {}
    status, answer = deployment.call("POST", SYNC, {"payload": payload}, headers=headers)
    assert status == 200, answer
    return answer


def execution(deployment: Deployment, execution_id: str) -> dict[str, Any]:
    status, answer = deployment.call("GET", f"{SYNC}/executions/{execution_id}")
    assert status == 200, answer
    return answer


def ended(deployment: Deployment, execution_id: str, seconds: float = 180) -> dict[str, Any]:
    deployment.wait_until(
        lambda: execution(deployment, execution_id)["finishedAt"], f"the end of {execution_id}", seconds
    )
    return execution(deployment, execution_id)


def runs_of(deployment: Deployment, key: str) -> list[dict[str, Any]]:
    return deployment.runs(tags=[{"key": "openfaith/idempotency_key", "value": key}])


def syncs_of(deployment: Deployment, execution_id: str) -> list[str]:
    with deployment.database.connect() as connection:
        rows = connection.execute("SELECT status FROM sync.syncs WHERE sync_id = %s", (execution_id,)).fetchall()
    return [row[0] for row in rows]


def test_killed_between_any_two_steps_nothing_is_lost_and_nothing_doubled(deployment: Deployment, org_id: str) -> None:
    deployment.kill("daemon")
    asked = ask(deployment, org_id, "people.campuses", key="nightly")
    execution_id = asked["executionId"]
    deployment.kill("service")
    deployment.restart("service")

    def status() -> str:
        return str(execution(deployment, execution_id)["status"])

    steps = (
        ("it is claimed", lambda: status() != "waiting"),
        ("it has a run", lambda: runs_of(deployment, "nightly")),
        ("the run has ended", lambda: [run["status"] for run in runs_of(deployment, "nightly")] == ["SUCCESS"]),
    )
    for what, is_so in steps:
        deployment.restart("daemon")
        deployment.wait_until(is_so, what, 180)
        deployment.kill("daemon")
        deployment.kill("service")
        deployment.restart("service")
        assert ask(deployment, org_id, "people.campuses", key="nightly")["executionId"] == execution_id
    deployment.restart("daemon")

    end = ended(deployment, execution_id)
    assert (end["status"], end["error"]) == ("succeeded", None)
    assert end["result"]["succeeded"] == 1
    assert end["runId"] == runs_of(deployment, "nightly")[0]["runId"]
    assert syncs_of(deployment, execution_id) == ["succeeded"]
    assert deployment.rows("pco_people.campuses", org_id) == deployment.truth("people.campuses", org_id)


def test_a_running_execution_shows_its_progress_and_is_canceled(deployment: Deployment, org_id: str) -> None:
    deployment.simulator.set_latency(SLOW)
    try:
        execution_id = ask(deployment, org_id, *WALK)["executionId"]
        deployment.wait_until(lambda: execution(deployment, execution_id)["rows"] > 0, "a page", 180)
        far = execution(deployment, execution_id)
        assert far["status"] == "running"
        assert {stream["stream"] for stream in far["streams"]} <= {*WALK, "people.people"}
        status, answer = deployment.call("POST", f"{SYNC}/executions/{execution_id}/cancel")
        assert (status, answer["isCancelRequested"]) == (200, True)
        end = ended(deployment, execution_id)
    finally:
        deployment.simulator.set_latency(Latency())
    assert end["status"] == "canceled"
    assert deployment.run(end["runId"])["status"] == "CANCELED"

    assert deployment.call("POST", f"{SYNC}/executions/{execution_id}/resume")[1]["status"] == "waiting"
    resumed = ended(deployment, execution_id)
    assert (resumed["status"], resumed["attempt"]) == ("succeeded", 2)
    assert deployment.rows("pco_people.households", org_id) == deployment.truth("people.households", org_id)
