"""Requests whose end, path or text two programs could read differently: none is read as two, or as another's."""

import socket
from typing import Final
from urllib.parse import quote, urlsplit

import orjson
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline_tests.adversary.sender import HOSTILE, HOSTILE_KEY, KEY, PEACEFUL
from openfaith_pipeline_tests.adversary.test_edges import JSON, call
from openfaith_pipeline_tests.adversary.test_no_key_harms_another import belongings

SMUGGLED: Final = f"POST /orgs/{PEACEFUL}/pause HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\r\n"
FRAMINGS: Final = (
    "Content-Length: 4\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 4",
    "Content-Length: 4\r\nContent-Length: 5",
    "Content-Length: 4, 5",
    "Content-Length: +4",
    "Content-Length: 4\r\nTransfer-Encoding: xchunked",
    "Content-Length: 4\r\nTransfer-Encoding : chunked",
    "Content-Length: 4\r\nTransfer-Encoding:\x0bchunked",
    "Content-Length : 4",
)
METACHARACTERS: Final = ("'", "';--", "\\", "%s", "%(org)s", "$1", "{}", '"', "' OR '1'='1", "/*", "\u2019", "%")


@pytest.mark.parametrize("framing", FRAMINGS)
def test_no_request_hides_in_the_body_of_another(keyed: Database, framing: str) -> None:
    before = belongings(keyed, PEACEFUL)
    request = f"POST /workflows/nothing HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n0\r\n\r\n"
    with socket.create_connection(_address(keyed), timeout=60) as connection:
        connection.sendall((request + SMUGGLED).encode())
        connection.shutdown(socket.SHUT_WR)
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answers.startswith((b"HTTP/1.1 400", b"HTTP/1.1 401"))
    assert answers.count(b"HTTP/1.1 ") == 1, "the hidden request was answered"
    assert belongings(keyed, PEACEFUL) == before


@pytest.mark.parametrize(
    "path",
    [
        f"/orgs/{HOSTILE}/../{PEACEFUL}/pause",
        f"/orgs/{HOSTILE}%2f..%2f{PEACEFUL}/pause",
        f"/orgs/{HOSTILE}/%2e%2e/{PEACEFUL}/pause",
        f"//orgs/{PEACEFUL}/pause",
        f"/orgs//{PEACEFUL}/pause",
        f"/orgs/{PEACEFUL};{HOSTILE}/pause",
        f"/orgs/{PEACEFUL}/pause?org_id={HOSTILE}",
        f"/orgs/{PEACEFUL}/pause#{HOSTILE}",
        f"/orgs/{PEACEFUL}/pause/",
        f"http://x/orgs/{PEACEFUL}/pause",
        f"/orgs/{PEACEFUL.upper()}/pause",
    ],
)
def test_no_spelling_of_a_path_leads_to_another_church(keyed: Database, path: str) -> None:
    before = belongings(keyed, PEACEFUL)
    status, headers, _ = call(keyed, "POST", path, {"Authorization": f"Bearer {HOSTILE_KEY}", **JSON}, b"{}")
    assert status in (400, 403, 404), path
    assert "location" not in headers
    assert belongings(keyed, PEACEFUL) == before


def test_characters_that_mean_something_to_sql_mean_nothing_here(keyed: Database) -> None:
    before, headers = belongings(keyed, PEACEFUL), {"Authorization": f"Bearer {KEY}"}
    for text in METACHARACTERS:
        odd = quote(text, safe="")
        for path in (
            f"/api/status?q={odd}",
            f"/api/status/orgs/{odd}",
            f"/workflows/{odd}/executions",
            f"/syncs/{odd}",
        ):
            assert call(keyed, "GET", path, headers)[0] in (200, 404), path
        for path in (
            f"/api/orgs/{odd}/policies/people/{odd}?policy=ask",
            f"/api/orgs/{HOSTILE}/policies/{odd}/*?policy=ask",
        ):
            assert call(keyed, "PUT", path, headers)[0] in (400, 404, 422), path
        body = orjson.dumps({"payload": {"tokenKey": text}})
        status = call(keyed, "POST", "/workflows/ExternalSyncWorkflow", {**headers, **JSON}, body)[0]
        assert status in (400, 404), text
    assert belongings(keyed, PEACEFUL) == before


def _address(database: Database) -> tuple[str, int]:
    url = urlsplit(str(database.settings.public_url))
    return str(url.hostname), int(url.port or 0)
