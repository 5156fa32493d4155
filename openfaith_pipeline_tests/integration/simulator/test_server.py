"""The simulator as another process sees it: on a socket."""

import http.client
import socket
from collections.abc import Iterator
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import orjson
import pytest

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.simulator import (
    ChurchSpec,
    Faults,
    Latency,
    RateLimit,
    Script,
    SimulatorClient,
    Traps,
    running_simulator,
)
from openfaith_pipeline_tests.unit.simulator.api import basic

FIRST, SECOND = ChurchSpec("org_first", people=30), ChurchSpec("org_second", people=12, seed=2)
PEOPLE = "/people/v2/people"
HEADERS = {"User-Agent": "tests", "Authorization": basic(FIRST)}


@pytest.fixture(scope="module")
def _running() -> Iterator[SimulatorClient]:
    with running_simulator([FIRST, SECOND]) as client:
        yield client


@pytest.fixture
def simulator(_running: SimulatorClient) -> SimulatorClient:
    """Shared by all tests here, with nothing left of the ones before but changed records."""
    _running.set_rate_limit(None)
    _running.set_faults(Faults())
    _running.set_latency(Latency())
    _running.clear_scripts()
    _running.forget_requests()
    return _running


def connect(simulator: SimulatorClient) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(simulator.url).netloc, timeout=20)


def get(simulator: SimulatorClient, target: str = PEOPLE) -> http.client.HTTPResponse:
    connection = connect(simulator)
    connection.request("GET", target, headers=HEADERS)
    return connection.getresponse()


def test_one_connection_serves_many_requests(simulator: SimulatorClient) -> None:
    connection = connect(simulator)
    for number in range(3):
        connection.request("GET", f"{PEOPLE}?per_page={number + 1}", headers=HEADERS)
        assert len(orjson.loads(connection.getresponse().read())["data"]) == number + 1
    connection.close()


def test_requests_sent_together_are_answered_in_order(simulator: SimulatorClient) -> None:
    simulator.set_latency(Latency(base_ms=5))
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "x", **HEADERS}.items())
    requests = "".join(f"GET {PEOPLE}?per_page={size} HTTP/1.1\r\n{lines}\r\n" for size in (3, 1, 2))
    address = urlsplit(simulator.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=20) as connection:
        connection.sendall(requests.encode())
        stream = connection.makefile("rb")
        assert [len(read_document(stream)["data"]) for _ in range(3)] == [3, 1, 2]


def read_document(stream: BinaryIO) -> dict[str, Any]:
    """One response from a connection that goes on."""
    length = 0
    while line := stream.readline().strip():
        if line.startswith(b"Content-Length"):
            length = int(line.split()[1])
    return orjson.loads(stream.read(length))  # type: ignore[no-any-return]


def test_links_lead_back_to_the_simulator(simulator: SimulatorClient) -> None:
    page = orjson.loads(get(simulator, f"{PEOPLE}?per_page=5").read())
    assert page["links"]["next"].startswith(f"{simulator.url}/people/v2/people?")
    assert page["data"][0]["links"]["self"].startswith(simulator.url)


def test_reset_is_a_reset(simulator: SimulatorClient) -> None:
    simulator.script(Script(answer="reset"))
    with pytest.raises(ConnectionResetError):
        get(simulator)
    assert get(simulator).status == 200


def test_truncated_body_is_shorter_than_it_says(simulator: SimulatorClient) -> None:
    simulator.script(Script(answer="truncated"))
    response = get(simulator)
    with pytest.raises(http.client.IncompleteRead) as raised:
        response.read()
    assert 0 < len(raised.value.partial) < int(response.headers["Content-Length"])


def test_rate_limit_set_at_run_time_shows_in_headers_and_stats(simulator: SimulatorClient) -> None:
    simulator.set_rate_limit(RateLimit(limit=2, period_seconds=60))
    responses = [get(simulator) for _ in range(3)]
    assert [response.status for response in responses] == [200, 200, 429]
    assert responses[1].headers["X-PCO-API-Request-Rate-Count"] == "2"
    assert 1 <= int(responses[2].headers["Retry-After"]) <= 60
    assert simulator.stats()["rate_limited"] == 1
    simulator.advance_clock(60)
    assert get(simulator).status == 200


def test_the_log_shows_the_requests(simulator: SimulatorClient) -> None:
    get(simulator, f"{PEOPLE}?per_page=7")
    get(simulator, "/people/v2/emails?offset=5")
    (logged,) = simulator.requests(stream="people.people")
    assert (logged["method"], logged["status"], logged["rows"], logged["org_id"]) == ("GET", 200, 7, FIRST.org_id)
    assert logged["target"] == f"{PEOPLE}?per_page=7"
    assert len(simulator.requests(org=FIRST.org_id)) == 2
    assert simulator.requests(org=SECOND.org_id) == []


def test_truth_and_changes_over_the_control_endpoint(simulator: SimulatorClient) -> None:
    (edited,) = simulator.edit(SECOND.org_id, "people.people", attributes={"nickname": "Edited"})
    truth = {row["id"]: row for row in simulator.truth(SECOND.org_id, "people.people")}
    assert truth[str(edited)]["attributes"]["nickname"] == "Edited"
    (added,) = simulator.add(SECOND.org_id, "people.emails", relations={"person": edited})
    assert added in {int(row["id"]) for row in simulator.truth(SECOND.org_id, "people.emails")}
    merged = simulator.merge(SECOND.org_id, "people.people", keep=edited)
    assert str(merged["remove"]) not in {row["id"] for row in simulator.truth(SECOND.org_id, "people.people")}
    simulator.delete(SECOND.org_id, "people.emails", [added])
    assert added not in {int(row["id"]) for row in simulator.truth(SECOND.org_id, "people.emails")}
    assert simulator.inject(SECOND.org_id, "people.lists", "broken") > 0
    assert simulator.truth(SECOND.org_id, "people.lists")[-1]["raw"] == "broken"
    simulator.drop(SECOND.org_id, "people.campuses", ["street"])
    assert not any("street" in row["attributes"] for row in simulator.truth(SECOND.org_id, "people.campuses"))
    (linked,) = simulator.edit(SECOND.org_id, "giving.donations", relations={"labels": [986, 985]})
    labels = {row["id"]: row["relationships"]["labels"] for row in simulator.truth(SECOND.org_id, "giving.donations")}
    assert [each["id"] for each in labels[str(linked)]["data"]] == ["986", "985"]
    assert len(simulator.truth(FIRST.org_id, "people.people")) == 30


def test_traps_and_grants_over_the_control_endpoint(simulator: SimulatorClient) -> None:
    simulator.set_traps(FIRST.org_id, Traps(stuck_total={"people.people": 5}))
    assert orjson.loads(get(simulator).read())["meta"]["total_count"] == 5
    simulator.set_traps(FIRST.org_id, Traps(absent_paths=("groups.tags",)))
    assert get(simulator, "/groups/v2/tags").status == 404
    simulator.set_traps(FIRST.org_id, Traps())
    assert get(simulator, "/groups/v2/tags").status == 200
    simulator.grant(FIRST.org_id, ["groups"])
    assert get(simulator).status == 401
    simulator.grant(FIRST.org_id, ["people"])
    assert get(simulator).status == 200


def test_bad_control_calls_are_explained(simulator: SimulatorClient) -> None:
    with pytest.raises(ValueError, match="no church of org_nobody"):
        simulator.truth("org_nobody", "people.people")
    with pytest.raises(ValueError, match=r"people\.nothing"):
        simulator.truth(FIRST.org_id, "people.nothing")


def test_credentials_are_those_of_the_church(simulator: SimulatorClient) -> None:
    assert simulator.credentials(FIRST.org_id) == FIRST.credentials
    assert {church["org_id"] for church in simulator.churches()} == {FIRST.org_id, SECOND.org_id}


def test_two_runs_of_one_seed_list_the_same_bytes() -> None:
    bodies = []
    for _ in range(2):
        with running_simulator([FIRST], public_url="http://planning.center") as client:
            bodies.append([get(client, path).read() for path in (PEOPLE, "/people/v2/households?include=people")])
    assert bodies[0] == bodies[1]


def test_port_in_use_is_a_configuration_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}"),
            running_simulator(port=port),
        ):
            pass


def test_simulator_ends_with_the_block() -> None:
    with running_simulator() as client:
        get(client)
    with pytest.raises(ConnectionRefusedError):
        get(client)


def test_parameters_without_an_effect_fail_the_test_that_sends_them() -> None:
    with pytest.raises(AssertionError, match="parameters that Planning Center ignores"), running_simulator() as client:
        connection = connect(client)
        token = client.credentials(client.churches()[0]["org_id"])
        headers = {"User-Agent": "tests", "Authorization": basic(ChurchSpec("", app_id=token[0], secret=token[1]))}
        connection.request("GET", f"{PEOPLE}?order=name", headers=headers)
        assert connection.getresponse().status == 200
        assert client.ignored() == {"people.people: order=name": f"{PEOPLE}?order=name"}
