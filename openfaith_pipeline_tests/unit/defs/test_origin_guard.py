"""The requests that the guard in front of Dagster's web application accepts or refuses."""

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from openfaith_pipeline.defs.origin_guard import OriginGuard

JSON = {"content-type": "application/json"}


async def _reached(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("reached")


async def _socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("reached")
    await websocket.close()


@pytest.fixture
def client() -> Iterator[TestClient]:
    methods = ["GET", "POST", "PUT", "DELETE", "OPTIONS"]
    routes = [WebSocketRoute("/graphql", _socket), Route("/{path:path}", _reached, methods=methods)]
    with TestClient(OriginGuard(Starlette(routes=routes), ["dagster.example.org"]), "http://127.0.0.1:3000") as client:
        yield client


@pytest.mark.parametrize(
    "host", ["127.0.0.1:3000", "localhost:3000", "localhost", "[::1]:3000", "127.0.0.2", "DAGSTER.example.org:443"]
)
def test_our_own_names_are_served(client: TestClient, host: str) -> None:
    assert client.get("/runs", headers={"host": host}).text == "reached"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3000", "127.0.0.1.evil.example", "[zz]", "", "10.0.0.7"]
)
def test_other_names_are_refused_so_that_rebinding_reads_nothing(client: TestClient, host: str) -> None:
    assert client.get("/graphql", headers={"host": host}).status_code == 400
    assert client.post("/graphql", json={"query": "{ version }"}, headers={"host": host}).status_code == 400


def test_two_hosts_are_none(client: TestClient) -> None:
    assert client.get("/runs", headers=[("host", "localhost"), ("host", "evil.example")]).status_code == 400


def test_the_ui_posts_its_queries(client: TestClient) -> None:
    same = {"origin": "http://127.0.0.1:3000", "sec-fetch-site": "same-origin"}

    assert client.post("/graphql", json={"query": "{ version }"}, headers=same).text == "reached"


def test_a_program_posts_its_queries(client: TestClient) -> None:
    assert client.post("/graphql", json={"query": "{ version }"}).text == "reached"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3001"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://127.0.0.1:3000", "sec-fetch-site": "cross-site"},
    ],
)
def test_a_page_of_another_site_starts_nothing(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/graphql", json={"query": "mutation { x }"}, headers=headers).status_code == 403
    assert client.delete("/runs", headers=headers).status_code == 403


@pytest.mark.parametrize("origin", ["http://[", "http://[zz]", "http://127.0.0.1:3000:80", "[", ""])
def test_an_origin_that_is_none_is_foreign(client: TestClient, origin: str) -> None:
    assert client.post("/graphql", json={}, headers={"origin": origin}).status_code == 403


def test_only_the_versions_themselves_are_shown_to_anyone(client: TestClient) -> None:
    for path in ("/graphql/server_info", "/logs/run/server_info", "//server_info"):
        assert client.get(path, headers={"host": "evil.example"}).status_code == 400, path


def test_a_page_of_another_site_embeds_nothing(client: TestClient) -> None:
    embedded = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}

    assert client.get("/runs", headers=embedded).status_code == 403


def test_a_page_of_another_site_frames_nothing_in_a_browser_that_does_not_say_so(client: TestClient) -> None:
    assert client.get("/runs").headers["x-frame-options"] == "SAMEORIGIN"


def test_a_link_from_another_site_is_followed(client: TestClient) -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}

    assert client.get("/runs/4711", headers=link).text == "reached"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_form_is_refused_whatever_its_origin(client: TestClient, kind: str) -> None:
    answer = client.post("/graphql?query=mutation{launchRun}", content=b"x", headers={"content-type": kind})

    assert answer.status_code == 415


def test_no_query_runs_by_get(client: TestClient) -> None:
    assert client.get("/graphql?query=mutation{launchRun}").status_code == 405
    assert client.get("/prefix/graphql?x=1&query=mutation{launchRun}").status_code == 405


@pytest.mark.parametrize("encoded", ["%71uery=mutation{launchRun}", "q%75ery=mutation{launchRun}"])
def test_an_escaped_parameter_is_the_same_parameter(client: TestClient, encoded: str) -> None:
    assert client.get(f"/graphql?{encoded}").status_code == 405


def test_permission_to_ask_more_is_not_given(client: TestClient) -> None:
    assert client.options("/graphql", headers={"access-control-request-method": "POST"}).status_code == 403


def test_probes_reach_the_versions_by_any_name(client: TestClient) -> None:
    assert client.get("/server_info", headers={"host": "10.0.0.7:3000"}).text == "reached"
    assert client.post("/server_info", headers={"host": "10.0.0.7:3000"} | JSON).status_code == 400


def test_sockets_are_opened_by_our_pages_only(client: TestClient) -> None:
    with client.websocket_connect(
        "/graphql", headers={"origin": "http://127.0.0.1:3000", "host": "127.0.0.1:3000"}
    ) as socket:
        assert socket.receive_text() == "reached"
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/graphql", headers={"origin": "https://evil.example"}),
    ):
        pass
