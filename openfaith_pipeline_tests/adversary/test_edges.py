"""Calls that are odd on purpose, with a key, with another's and with none: none makes the service fail."""

import base64
import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.settings import Settings
from openfaith_pipeline_tests.adversary.sender import HOSTILE, HOSTILE_KEY, KEY, PEACEFUL
from openfaith_pipeline_tests.integration.webhooks.receiver import running_service

BEARER = {"Authorization": f"Bearer {KEY}"}
BASIC = {"Authorization": f"Basic {base64.b64encode(f'me:{KEY}'.encode()).decode()}"}
JSON = {"Content-Type": "application/json"}


def call(
    database: Database, method: str, path: str, headers: dict[str, str], body: bytes | None = None
) -> tuple[int, dict[str, str], bytes]:
    """With exactly these headers, Host included where it is among them."""
    connection = http.client.HTTPConnection(urlsplit(str(database.settings.public_url)).netloc, timeout=120)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    told = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return told


def started(database: Database, key: str = KEY, org_id: str = HOSTILE) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {key}", **JSON}
    body = orjson.dumps({"payload": {"tokenKey": org_id}})
    status, _, told = call(database, "POST", "/workflows/ExternalSyncWorkflow", headers, body)
    return status, orjson.loads(told)


@pytest.mark.parametrize(
    ("method", "path", "sent"),
    [
        ("GET", "/workflows/%00", None),
        ("GET", "/workflows/ExternalSyncWorkflow/executions/request_%00", None),
        ("GET", "/workflows/ExternalSyncWorkflow/executions?org=%00", None),
        ("POST", "/workflows/ExternalSyncWorkflow/executions/%00/cancel", None),
        ("POST", "/workflows/ExternalSyncWorkflow/executions/%00/resume", None),
        ("POST", "/workflows/ExternalSyncWorkflow", {"payload": {"tokenKey": "org_\x00"}}),
        ("POST", "/external-sync-workflow/discard", {"tokenKey": "\x00"}),
        ("POST", "/external-sync-workflow/resume", {"executionId": "request_\x00"}),
        (
            "POST",
            "/create-org-workflow/discard",
            {"organizationId": HOSTILE, "name": "\x00", "slug": "a", "userId": "b"},
        ),
        ("POST", "/api/trpc/core.triggerPcoSync", {"tokenKey": "\x00"}),
        ("POST", "/api/trpc/%00", {"tokenKey": "x"}),
        ("POST", "/api/webhooks/pco/%00", {}),
        ("GET", "/connect/pco?org=%00", None),
        ("POST", "/connect/pco/start?org=%00", None),
        ("GET", "/connect/pco/callback?code=%00&state=%00", None),
    ],
)
@pytest.mark.parametrize("headers", [BEARER, {}], ids=["with a key", "without"])
def test_a_nul_is_refused_wherever_it_stands(
    keyed: Database, method: str, path: str, sent: Any, headers: dict[str, str]
) -> None:
    body = None if sent is None else orjson.dumps(sent)
    status, _, told = call(keyed, method, path, {**headers, **(JSON if sent is not None else {})}, body)
    assert 400 <= status < 500, told


@pytest.mark.parametrize("host", ["[zz]", "[", "]", "[::1", "a:b:c", "", "\xe9", "[v1.x]", "evil.example"])
def test_an_odd_host_is_nobody_of_this_machine(settings: Settings, host: str) -> None:
    with running_service(settings) as database:  # without keys, this machine may do everything
        for path in ("/", "/workflows"):
            assert call(database, "GET", path, {"Host": host})[0] in (400, 401), path
        assert call(database, "GET", "/connect/pco", {"Host": host})[0] != 500
        assert call(database, "GET", "/health", {"Host": host})[0] == 200
        status, _, _ = call(database, "GET", "/workflows", {"Host": "localhost", "Origin": f"http://{host}"})
        assert status == 401


def test_no_answer_leads_to_the_host_it_was_given(keyed: Database) -> None:
    for path in ("/workflows/", "/health/", "/api/docs/", "/connect/pco/", "/workflows/ExternalSyncWorkflow/"):
        status, headers, _ = call(keyed, "GET", path, {**BEARER, "Host": "evil.example"})
        assert (status, "location" in headers) == (404, False), path


@pytest.mark.parametrize("action", ["cancel", "resume"])
def test_another_sites_page_changes_nothing_with_a_password_the_browser_knows(keyed: Database, action: str) -> None:
    _, execution = started(keyed)
    path = f"/workflows/ExternalSyncWorkflow/executions/{execution['executionId']}/{action}"
    host = urlsplit(str(keyed.settings.public_url)).netloc
    for foreign in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://{host}.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": f"http://{host}"},
    ):
        assert call(keyed, "POST", path, {**BASIC, **foreign}, b"")[0] == 403, foreign
    own = {"Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    for headers in ({**BASIC, **own}, BASIC, {**BEARER, "Origin": "https://app.example"}):
        assert call(keyed, "POST", path, headers, b"")[0] == 200, headers


def test_one_churchs_key_changes_and_shows_nothing_of_another(keyed: Database) -> None:
    assert started(keyed, HOSTILE_KEY, PEACEFUL)[0] == 403
    _, execution = started(keyed, KEY, PEACEFUL)
    own = {"Authorization": f"Bearer {HOSTILE_KEY}"}
    path = f"/workflows/ExternalSyncWorkflow/executions/{execution['executionId']}"
    for method, address in (("GET", path), ("POST", f"{path}/cancel"), ("POST", f"{path}/resume")):
        assert call(keyed, method, address, own, b"")[0] == 404
    body = orjson.dumps({"executionId": execution["executionId"]})
    assert call(keyed, "POST", "/external-sync-workflow/resume", {**own, **JSON}, body)[0] == 404
    assert call(keyed, "GET", f"/workflows/ExternalSyncWorkflow/executions?org={PEACEFUL}", own)[0] == 403


def test_the_documentation_has_nothing_from_elsewhere_and_no_script(keyed: Database) -> None:
    status, headers, html = call(keyed, "GET", "/api/docs", {})
    assert status == 200
    assert "default-src 'none'" in headers["content-security-policy"]
    for foreign in (b"<script", b"http://", b"https://", b"src="):
        assert foreign not in html
    for shown in (b"POST /workflows/{name}", b"tokenKey", b"Idempotency-Key", b"bearer"):
        assert shown in html


def test_json_nested_as_deep_as_it_may_be_is_answered(keyed: Database) -> None:
    for depth in (900, 1023, 5000):
        body = b'{"a":' * depth + b'"\\u0000"' + b"}" * depth
        assert call(keyed, "POST", "/workflows/ExternalSyncWorkflow", {**BEARER, **JSON}, body)[0] == 400


def test_a_flood_of_questions_whether_it_is_ready_costs_postgres_little(keyed: Database) -> None:
    def looks() -> int:
        with keyed.connect() as connection:
            connection.execute("SELECT pg_stat_force_next_flush()")
            [(count,)] = connection.execute(
                "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
            ).fetchall()
        return int(count)

    assert call(keyed, "GET", "/health/ready", {})[0] == 200
    before, began = looks(), time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: call(keyed, "GET", "/health/ready", {})[0], range(400)))
    time.sleep(1.1)  # statistics of idle sessions come within a second
    assert set(answers) == {200}
    assert looks() - before < 100 + 10 * (time.monotonic() - began)
