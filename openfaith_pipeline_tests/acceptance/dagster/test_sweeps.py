"""The sweep and its schedule, through Dagster's own processes."""

import pytest

from openfaith_pipeline_tests.acceptance.dagster.deployment import Deployment

pytestmark = pytest.mark.slow

SCHEDULES = """query { schedulesOrError(repositorySelector: {
    repositoryName: "__repository__", repositoryLocationName: "openfaith_pipeline"}) {
    ... on Schedules { results { name scheduleState { status } } } ... on PythonError { message } } }"""


def test_what_is_due_is_swept_and_seen_in_the_ui(deployment: Deployment, org_id: str) -> None:
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
