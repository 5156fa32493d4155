"""tRPC's wire form, as a tRPC client speaks and hears it."""

import http.client
from concurrent.futures import ThreadPoolExecutor

import pytest

from openfaith_pipeline.orgs.registry import new_org_id
from openfaith_pipeline_tests.integration.service.conftest import ELSEWHERE, READER, TRPC, Service


def test_a_trigger_is_in_postgres_when_it_is_answered(service: Service) -> None:
    answer = service.call("POST", TRPC, {"tokenKey": service.org_id}, idempotency_key="nightly")

    data = answer.json["result"]["data"]
    assert (answer.status, data["success"], data["status"], data["isNew"]) == (200, True, "waiting", True)
    assert service.database
    with service.database.connect() as connection:
        kept = connection.execute("SELECT request_id, org_id, idempotency_key, trigger FROM sync.requests").fetchall()
    assert kept == [(data["executionId"], service.org_id, "nightly", "api")]


def test_superjson_is_answered_in_superjson(service: Service) -> None:
    answer = service.call("POST", TRPC, {"json": {"tokenKey": service.org_id}})
    assert answer.json["result"]["data"]["json"]["success"] is True

    refused = service.call("POST", TRPC, {"json": {"tokenKey": 7}}).json["error"]["json"]
    assert (refused["code"], refused["data"]["httpStatus"]) == (-32600, 400)


def test_one_key_is_one_execution_however_many_ask_at_once(service: Service) -> None:
    def trigger(_: int) -> tuple[str, bool]:
        data = service.call("POST", TRPC, {"tokenKey": service.org_id}, idempotency_key="burst").json["result"]["data"]
        return data["executionId"], data["isNew"]

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(trigger, range(16)))
    assert len({execution for execution, _ in told}) == 1
    assert sum(is_new for _, is_new in told) == 1


def test_a_batch_is_answered_one_by_one(service: Service) -> None:
    body = {"0": {"tokenKey": service.org_id}, "1": {"tokenKey": new_org_id()}, "2": {}}
    answer = service.call("POST", f"{TRPC},core.triggerPcoSync,core.other?batch=1", body)

    assert answer.status == 207
    first, second, third = answer.json
    assert first["result"]["data"]["orgId"] == service.org_id
    assert second["error"]["data"] == {"code": "NOT_FOUND", "httpStatus": 404, "path": "core.triggerPcoSync"}
    assert third["error"]["data"] == {"code": "NOT_FOUND", "httpStatus": 404, "path": "core.other"}

    alone = service.call("POST", f"{TRPC}?batch=1", {"0": {"tokenKey": service.org_id}})
    assert (alone.status, alone.json[0]["result"]["data"]["isNew"]) == (200, False)


@pytest.mark.parametrize(
    ("body", "how", "status", "code", "number"),
    [
        (b'{"tokenKey": ', {}, 400, "PARSE_ERROR", -32700),
        (b"\xff\xfe", {}, 400, "PARSE_ERROR", -32700),
        (b"", {}, 400, "BAD_REQUEST", -32600),
        ([], {}, 400, "BAD_REQUEST", -32600),
        ({"tokenKey": None}, {}, 400, "BAD_REQUEST", -32600),
        ({"tokenKey": "org_not"}, {}, 404, "NOT_FOUND", -32004),
        ({"tokenKey": "ORG", "streams": ["people.emial"]}, {}, 400, "BAD_REQUEST", -32600),
        ({"tokenKey": "ORG", "stream": ["people.emails"]}, {}, 400, "BAD_REQUEST", -32600),
        ({"tokenKey": "ORG", "mode": "quick"}, {}, 400, "BAD_REQUEST", -32600),
        ({"tokenKey": "ORG"}, {"idempotency_key": "x" * 300}, 400, "BAD_REQUEST", -32600),
        ({"tokenKey": "ORG"}, {"content_type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE", -32015),
        ({"tokenKey": "ORG"}, {"key": None}, 401, "UNAUTHORIZED", -32001),
        ({"tokenKey": "ORG"}, {"key": "planted-app-kez"}, 401, "UNAUTHORIZED", -32001),
        ({"tokenKey": "ORG"}, {"key": READER}, 403, "FORBIDDEN", -32003),
        ({"tokenKey": "ORG"}, {"key": ELSEWHERE}, 403, "FORBIDDEN", -32003),
        (b"[" + b"1," * 600_000 + b"1]", {}, 413, "PAYLOAD_TOO_LARGE", -32013),
    ],
)
def test_a_refusal_has_the_form_of_trpc(
    service: Service, body: object, how: dict[str, str], status: int, code: str, number: int
) -> None:
    if isinstance(body, dict) and body.get("tokenKey") == "ORG":
        body = {**body, "tokenKey": service.org_id}
    answer = service.call("POST", TRPC, body, **how)

    error = answer.json["error"]
    assert (answer.status, error["code"]) == (status, number)
    assert error["data"] == {"code": code, "httpStatus": status, "path": "core.triggerPcoSync"}
    assert "planted" not in error["message"]
    assert service.database
    with service.database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM sync.requests").fetchone() == (0,)


def test_a_mutation_is_no_query(service: Service) -> None:
    answer = service.call("GET", TRPC)
    assert (answer.status, answer.json["error"]["data"]["code"]) == (405, "METHOD_NOT_SUPPORTED")


def test_a_body_that_says_nothing_of_its_size_is_measured(service: Service) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    chunks = iter([b"[" + b"1," * 300_000, b"1," * 300_000, b"1]"])
    headers = {"x-api-key": "planted-app-key", "content-type": "application/json"}
    connection.request("POST", TRPC, chunks, headers, encode_chunked=True)
    assert connection.getresponse().status == 413
