"""The sweep and its schedule, through Dagster's own processes."""

import pytest

from openfaith_pipeline_tests.acceptance.dagster.deployment import Deployment

pytestmark = pytest.mark.slow

SCHEDULES = """query { schedulesOrError(repositorySelector: {
    repositoryName: "__repository__", repositoryLocationName: "openfaith_pipeline"}) {
    ... on Schedules { results { name scheduleState { status } } } ... on PythonError { message } } }"""


def test_a_due_org_is_swept_and_seen_in_the_ui(deployment: Deployment, org_id: str) -> None:
    with deployment.database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.org_settings (org_id, streams) VALUES (%s, '{people.campuses}')", (org_id,)
        )
        connection.execute("UPDATE sync.org_schedules SET next_at = now() WHERE org_id = %s", (org_id,))

    # The schedule itself may be first, if its minute comes round just now; then this sweep finds nothing to do.
    assert deployment.finished(deployment.launch_sweep())["status"] == "SUCCESS"

    deployment.wait_until(
        lambda: deployment.rows("pco_people.campuses", org_id) == deployment.truth("people.campuses", org_id) != set(),
        "the sweep",
    )
    partitions = deployment.ask(
        """query { assetNodes(assetKeys: [{path: ["pco_people", "campuses"]}, {path: ["openfaith", "campuses"]}]) {
            assetMaterializations(limit: 50) { partition runId } } }"""
    )["assetNodes"]
    assert all(org_id in {event["partition"] for event in node["assetMaterializations"]} for node in partitions)


def test_schedules_are_on(deployment: Deployment) -> None:
    schedules = deployment.ask(SCHEDULES)["schedulesOrError"]["results"]
    assert {each["scheduleState"]["status"] for each in schedules} == {"RUNNING"}
    assert {"incremental", "reconcile"} <= {each["name"] for each in schedules}


FAILURE = """query Failure($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
    ... on ExecutionStepFailureEvent { error { message stack causes { message } } } } } } }"""


def test_a_sweep_of_unreachable_churches_names_them_without_a_stack_trace(
    deployment: Deployment, org_id: str, other_org_id: str
) -> None:
    lost = [org_id, other_org_id]
    with deployment.stopped("incremental"):  # whose own sweep would take a part of them
        with deployment.database.connect() as connection:
            connection.execute(
                "UPDATE sync.source_connections SET api_url = 'http://127.0.0.1:9' WHERE org_id = ANY(%s)", (lost,)
            )
            connection.execute("UPDATE sync.source_schedules SET next_at = now() WHERE org_id = ANY(%s)", (lost,))

        run = deployment.finished(deployment.launch_sweep())

    assert run["status"] == "FAILURE"
    events = deployment.ask(FAILURE, run=run["runId"])["logsForRun"]["events"]
    [error] = [event["error"] for event in events if event]
    assert (error["stack"], error["causes"]) == ([], [])
    headline, reasons = error["message"].split("\n")
    assert headline == "None of 2 churches could be synced."
    assert all(f"({each})" in reasons for each in lost)
    assert reasons.endswith("no connection to 127.0.0.1 can be made (ConnectError)")
