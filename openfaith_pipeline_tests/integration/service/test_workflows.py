"""Workflows by name over HTTP: start, status, cancel, resume."""

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from openfaith_pipeline.database import Database
from openfaith_pipeline.inbox.lifecycle import claim_requests, finish_request
from openfaith_pipeline.inbox.requests import cancel_request, list_requests
from openfaith_pipeline.orgs.registry import new_org_id
from openfaith_pipeline.service.app import create_app
from openfaith_pipeline.service.workflow_proxy import MOST_WAITING, path_of
from openfaith_pipeline_tests.integration.service.conftest import APP, ELSEWHERE, ONE_ORG, READER, SYNC, Answer, Service
from openfaith_pipeline_tests.tenants import add_orgs
from openfaith_pipeline_tests.waiting import wait_until


def test_a_workflow_is_started_by_its_payload_wrapped_or_not(service: Service) -> None:
    wrapped = service.start({"adapter": "pco"})
    bare = service.call("POST", SYNC, {"tokenKey": service.org_id, "adapter": "pco"})

    assert (wrapped.status, wrapped.json["status"], wrapped.json["isNew"]) == (200, "waiting", True)
    assert (bare.json["executionId"], bare.json["isNew"]) == (wrapped.json["executionId"], False)


def test_one_key_is_one_execution_and_stands_for_one_thing(service: Service) -> None:
    first = service.start(idempotency_key="nightly")
    assert service.start(idempotency_key="nightly").json["executionId"] == first.json["executionId"]

    other = service.start({"mode": "reconcile"}, idempotency_key="nightly")
    assert (other.status, other.json["error"]["type"]) == (409, "IdempotencyKeyReused")


def test_an_execution_is_shown_while_it_waits_and_may_be_canceled_and_resumed(service: Service) -> None:
    execution = f"{SYNC}/executions/{service.start().json['executionId']}"

    told = service.call("GET", execution, key=READER).json
    assert (told["status"], told["streams"], told["rows"]) == ("waiting", [], 0)
    assert service.call("POST", f"{execution}/cancel", key=READER).status == 403
    assert service.call("POST", f"{execution}/cancel").json["status"] == "canceled"
    assert service.call("POST", f"{execution}/resume").json["attempt"] == 2


def test_calls_that_wait_are_bounded_for_each_key_and_counted_off_when_they_end(database: Database) -> None:
    org_id = new_org_id()
    add_orgs(database, {org_id: "Church"})
    keys = (SecretStr("one:first-key"), SecretStr("two:second-key"))
    app = create_app(replace(database, settings=database.settings.model_copy(update={"api_keys": keys})))
    path, body = path_of("ExternalSyncWorkflow"), {"tokenKey": org_id}
    with TestClient(app) as client, ThreadPoolExecutor(MOST_WAITING + 1) as threads:

        def execute(key: str) -> Future[Any]:
            headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "the same"}
            return threads.submit(client.post, path, json=body, headers=headers)

        waiting = [execute("first-key") for _ in range(MOST_WAITING)]
        wait_until(lambda: app.state.waiting["one"] == MOST_WAITING)
        further = execute("first-key")
        wait([further], 5)
        headers = {"Authorization": "Bearer first-key"}
        assert client.post(f"{path}/discard", json=body, headers=headers).status_code == 204
        assert app.state.waiting["two"] == 0, "another key's calls are counted by themselves"
        with database.connect() as connection:
            for request in list_requests(connection, None, None, 10):
                finish_request(connection, request.request_id, "succeeded", None, None)
        refused = further.result(30)
        assert (refused.status_code, "use /discard" in refused.text) == (429, True)
        assert {each.result(30).status_code for each in waiting} == {204}
    assert app.state.waiting["one"] == 0


def test_a_running_execution_is_requested_to_stop(service: Service) -> None:
    execution = f"{SYNC}/executions/{service.start().json['executionId']}"
    assert service.database
    with service.database.connect() as connection:
        claim_requests(connection)
    told = service.call("POST", f"{execution}/cancel").json
    assert (told["status"], told["isCancelRequested"], told["finishedAt"]) == ("launched", True, None)


def test_an_org_does_not_see_anothers(service: Service) -> None:
    execution = f"{SYNC}/executions/{service.start().json['executionId']}"

    assert service.call("GET", execution, key=ONE_ORG).status == 200
    assert service.call("GET", execution, key=ELSEWHERE).status == 404
    assert service.call("POST", f"{execution}/cancel", key=ELSEWHERE).status == 404
    assert service.call("GET", f"{SYNC}/executions", key=ELSEWHERE).json == []
    assert service.call("GET", f"{SYNC}/executions?org={service.org_id}", key=ELSEWHERE).status == 403
    assert len(service.call("GET", f"{SYNC}/executions", key=ONE_ORG).json) == 1
    assert service.start(key=ELSEWHERE).status == 403


def test_the_workflows_describe_their_payloads(service: Service) -> None:
    told = {each["name"]: each for each in service.call("GET", "/workflows").json}
    assert told["CreateOrgWorkflow"]["activities"] == ["seed_sacraments", "seed_relationships"]
    assert set(told["CreateOrgWorkflow"]["payload"]["required"]) == {"organizationId", "name", "slug", "userId"}


def test_a_payload_may_bring_its_own_key(service: Service) -> None:
    payload = {"organizationId": new_org_id(), "name": "First Church", "slug": "first", "userId": "user_1"}
    first = service.call("POST", "/workflows/CreateOrgWorkflow", {"payload": payload})
    again = service.call("POST", "/workflows/CreateOrgWorkflow", {"payload": payload})
    assert (first.status, first.json["isNew"], again.json["isNew"]) == (200, True, False)
    assert first.json["executionId"] == again.json["executionId"]


def test_openfaiths_own_client_is_answered_as_by_effects_proxy(service: Service) -> None:
    payload = {"adapter": "pco", "tokenKey": service.org_id}
    path = "/external-sync-workflow"
    assert service.database
    with ThreadPoolExecutor(2) as pool, service.database.connect(autocommit=True) as connection:
        ends = {
            key: pool.submit(service.call, "POST", path, payload, idempotency_key=key) for key in ("good", "canceled")
        }
        while len(kept := list_requests(connection, None, None, 9)) < 2:
            time.sleep(0.05)
        ids = {request.idempotency_key: request.request_id for request in kept}
        finish_request(connection, ids["good"], "succeeded", None, {})
        cancel_request(connection, ids["canceled"])
        good, canceled = ends["good"].result(), ends["canceled"].result()
    assert (good.status, good.text) == (204, "")
    assert (canceled.status, canceled.json["_tag"]) == (500, "ExternalSyncError")

    discarded = service.call("POST", f"{path}/discard", payload)
    assert (discarded.status, discarded.text) == (204, "")
    assert service.call("POST", f"{path}/resume", {"executionId": ids["canceled"]}).status == 204
    assert service.call("GET", f"{SYNC}/executions/{ids['canceled']}").json["attempt"] == 2
    assert service.call("POST", f"{path}/resume", {"id": 1}).status == 400
    assert service.call("POST", "/create-org-workflow", {}).status == 400


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "/workflows/ExternalSync", {}, 404, "did you mean ExternalSyncWorkflow"),
        ("POST", SYNC, {"payload": {}}, 400, "tokenKey: Field required"),
        ("POST", SYNC, {"payload": "all"}, 400, "valid dictionary"),
        ("POST", SYNC, {"payload": {"tokenKey": "ORG", "adapter": "ccb"}}, 400, "adapter"),
        ("POST", "/workflows/CreateOrgWorkflow", {"payload": {"organizationId": "7"}}, 400, "is not an org id"),
        ("GET", f"{SYNC}/executions/request_x", None, 404, "no execution"),
        ("GET", f"{SYNC}/executions?limit=x", None, 400, "limit"),
        ("GET", f"{SYNC}/executions?limit=0", None, 400, "limit"),
        ("GET", "/workflows/CreateOrgWorkflow/executions/none", None, 404, "no execution"),
        ("DELETE", SYNC, None, 405, "Not Allowed"),
        ("GET", "/nowhere", None, 404, "Not Found"),
    ],
)
def test_a_refusal_names_the_field_to_change(
    service: Service, method: str, path: str, body: object, status: int, words: str
) -> None:
    answer = service.call(method, path, body)
    assert answer.status == status, answer.text
    assert words in answer.json["error"]["message"]


def test_a_rebuild_is_for_those_who_operate_and_for_a_known_org(service: Service) -> None:
    path = "/workflows/RebuildOrgWorkflow"

    def start(key: str = APP, **payload: Any) -> Answer:
        return service.call("POST", path, {"payload": {"orgId": service.org_id, **payload}}, key=key)

    refused = [start(key=key) for key in (READER, ONE_ORG, ELSEWHERE)]
    assert [each.status for each in refused] == [403, 403, 403]
    assert "may not operate" in refused[1].json["error"]["message"]
    assert (start(orgId=new_org_id()).json["error"]["type"], start(orgId=new_org_id()).status) == ("UnknownOrg", 404)
    wrong = start(dryRun="yes")
    assert (wrong.status, "dryRun" in wrong.text, "yes" in wrong.text) == (400, True, False)
    assert start(dry_run=True).status == 400

    started = start(dryRun=True)
    assert (started.status, started.json["status"]) == (200, "waiting")
    execution = f"{path}/executions/{started.json['executionId']}"
    assert service.call("POST", f"{execution}/cancel", key=ONE_ORG).json["status"] == "canceled"
    for resume, body in (
        (f"{execution}/resume", None),
        ("/rebuild-org-workflow/resume", {"executionId": started.json["executionId"]}),
    ):
        assert service.call("POST", resume, body, key=ONE_ORG).status == 403
        assert service.call("GET", execution).json["status"] == "canceled"
    assert service.call("POST", f"{execution}/resume").json["status"] == "waiting"


def test_workflows_of_an_org_that_is_not_there_are_refused_at_once(service: Service) -> None:
    refused = service.call("POST", "/workflows/OnboardOrgWorkflow", {"payload": {"orgId": new_org_id()}})
    assert (refused.status, refused.json["error"]["type"]) == (404, "UnknownOrg")


def test_the_api_document_has_the_rebuild_and_the_scopes_it_needs(service: Service) -> None:
    [told] = [each for each in service.call("GET", "/workflows").json if each["name"] == "RebuildOrgWorkflow"]
    assert told["scopes"] == ["trigger", "operate"]
    assert set(told["payload"]["properties"]) == {"orgId", "dryRun", "ignoreGuards"}
    document = service.call("GET", "/api/openapi.json").json
    operation = document["paths"]["/rebuild-org-workflow"]["post"]
    assert "the scope operate" in operation["description"]
    [body] = operation["requestBody"]["content"].values()
    assert body["schema"]["properties"]["ignoreGuards"]["type"] == "boolean"
    assert "RebuildOrgWorkflow" in service.call("GET", "/api/docs").text
