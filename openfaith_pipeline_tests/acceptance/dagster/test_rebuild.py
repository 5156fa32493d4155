"""A rebuild, launched in Dagster's webserver and over HTTP, and carried out by Dagster's processes."""

from typing import Any

import pytest

from openfaith_pipeline_tests.acceptance.dagster.deployment import Deployment

pytestmark = pytest.mark.slow

REBUILD = "/workflows/RebuildOrgWorkflow"
METADATA = """query($id: ID!) { runOrError(runId: $id) { ... on Run { eventConnection { events {
    ... on HandledOutputEvent { __typename }
    ... on ExecutionStepOutputEvent { metadataEntries { label ... on IntMetadataEntry { intValue } } }
    ... on ExecutionStepFailureEvent { failureMetadata { metadataEntries { label } description } error { message } }
} } } } }"""


def campuses(deployment: Deployment, org_id: str) -> int:
    with deployment.database.connect() as connection:
        query = 'SELECT count(*) FROM openfaith_campuses WHERE "orgId" = %s AND "deletedAt" IS NULL'
        [(number,)] = connection.execute(query, (org_id,)).fetchall()
    return int(number)


def damaged(deployment: Deployment, org_id: str) -> int:
    """Sync campuses and delete their OpenFaith rows; how many there were."""
    run_id = deployment.launch(org_id, "pco_people/campuses", "openfaith/campuses")
    assert deployment.finished(run_id)["status"] == "SUCCESS"
    number = campuses(deployment, org_id)
    assert number
    with deployment.database.connect() as connection:
        connection.execute('DELETE FROM openfaith_campuses WHERE "orgId" = %s', (org_id,))
    return number


def numbers_of(deployment: Deployment, run_id: str) -> dict[str, int]:
    events = deployment.ask(METADATA, id=run_id)["runOrError"]["eventConnection"]["events"]
    entries = [entry for event in events for entry in event.get("metadataEntries") or ()]
    return {entry["label"]: entry["intValue"] for entry in entries if "intValue" in entry}


def test_it_is_launched_in_the_ui_for_a_partition_or_for_the_orgs_of_its_config(
    deployment: Deployment, org_id: str
) -> None:
    number = damaged(deployment, org_id)
    dry = deployment.launch_job("rebuild", {"orgs": [org_id], "dry_run": True}, op="rebuild_orgs")
    assert deployment.finished(dry)["status"] == "SUCCESS"
    assert (numbers_of(deployment, dry)["rows_inserted"], campuses(deployment, org_id)) == (number, 0)

    done = deployment.launch_job("rebuild", {}, op="rebuild_orgs", partition=org_id)
    run = deployment.finished(done)
    assert (run["status"], run["tags"]["openfaith/org"]) == ("SUCCESS", org_id)
    assert (numbers_of(deployment, done)["rows_inserted"], campuses(deployment, org_id)) == (number, number)

    unknown = deployment.launch_job("rebuild", {"orgs": ["org_nobody"]}, op="rebuild_orgs")
    assert deployment.finished(unknown)["status"] == "FAILURE"


def test_it_is_started_over_http(deployment: Deployment, org_id: str) -> None:
    number = damaged(deployment, org_id)
    status, started = deployment.call("POST", REBUILD, {"payload": {"orgId": org_id}})
    assert status == 200, started
    path = f"{REBUILD}/executions/{started['executionId']}"

    def execution() -> Any:
        return deployment.call("GET", path)[1]

    deployment.wait_until(lambda: execution()["finishedAt"], "the end of the rebuild", 180)
    ended = execution()
    assert (ended["status"], ended["error"]) == ("succeeded", None)
    result = ended["result"]["rebuild_tables"]
    assert (result["syncId"], result["tables"]["campuses"]["inserted"]) == (started["executionId"], number)
    assert campuses(deployment, org_id) == number
