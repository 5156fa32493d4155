"""compose.yaml in a real Docker engine: all roles well, and the sync of a killed worker goes on in another."""

from collections.abc import Iterator

import pytest

from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.options import Latency
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline_tests.acceptance.deploy.compose import OURS, Compose, composed, reached_at
from openfaith_pipeline_tests.acceptance.deploy.engine import (
    docker,
    done,
    gateway,
    health_of,
    inspected,
    need_image,
    network,
)
from openfaith_pipeline_tests.integration.sync.church import ALL, differences

SYNC = "/workflows/ExternalSyncWorkflow"
OPERATOR = "The operator of the test"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def simulator(image: str) -> Iterator[SimulatorClient]:  # noqa: ARG001 - none without an engine
    with running_simulator(made_up_churches(2, people=40)) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def compose(image: str, simulator: SimulatorClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    for other in ("postgres:18", "redis:7"):
        need_image(other)
    with network() as joined, reached_at(gateway(joined), simulator) as url:
        variables = {"PCO_API_URL": url, "OPENFAITH_OPERATOR": OPERATOR}
        with composed(tmp_path_factory.mktemp("compose"), image, variables, workers=2) as compose:
            for church in simulator.churches():
                secret = f"{church['secret']}\n"
                compose.verb(
                    "org", "add", church["org_id"], "--app-id", church["app_id"], "--secret-stdin", stdin=secret
                )
            yield compose


def test_every_role_becomes_healthy(compose: Compose) -> None:
    containers = {name: compose.containers(name) for name in OURS}
    assert {name: len(found) for name, found in containers.items()} == {**dict.fromkeys(OURS, 1), "worker": 2}
    for name, found in containers.items():
        for container in found:
            compose.wait_until(lambda it=container: health_of(it) == "healthy", f"{name} to be healthy", 240)


@pytest.mark.parametrize("name", OURS)
def test_every_setting_arrives_and_nothing_is_published_beyond_this_machine(compose: Compose, name: str) -> None:
    containers = compose.containers(name)
    assert containers
    for container in containers:
        found = inspected(container)
        assert f"OPENFAITH_OPERATOR={OPERATOR}" in found["Config"]["Env"]
        published = [place for places in found["NetworkSettings"]["Ports"].values() for place in places or ()]
        assert {place["HostIp"] for place in published} == ({"127.0.0.1"} if name in {"web", "service"} else set())
        assert found["HostConfig"]["ReadonlyRootfs"] is True


def test_the_sync_of_a_killed_worker_goes_on_in_another_and_every_table_is_equal(
    compose: Compose, simulator: SimulatorClient
) -> None:
    org_id, other_id = (church["org_id"] for church in simulator.churches())
    simulator.set_latency(Latency(base_ms=300))
    asked, other = (triggered(compose, each) for each in (org_id, other_id))
    compose.wait_until(lambda: len(simulator.requests(org=org_id)) > 60, "the middle of the sync", 240)
    docker("kill", "--signal", "KILL", worker_of(compose, org_id))
    simulator.set_latency(Latency())

    for execution in (asked, other):
        compose.wait_until(lambda it=execution: status(compose, it) == "succeeded", "the end of the sync", 300)
    runs = compose.runs(tags=[{"key": "dagster/partition", "value": org_id}])
    assert [run["status"] for run in runs] == ["SUCCESS", "FAILURE"]
    assert {run["tags"]["openfaith/sync_id"] for run in runs} == {asked}, "the same sync went on"
    for each in (org_id, other_id):
        assert differences(compose.database(), simulator, each, ALL) == []
        compose.verb("verify", each, "--full")  # the OpenFaith tables, links and edges too; it fails on any difference


def triggered(compose: Compose, org_id: str) -> str:
    code, answer = compose.call("POST", SYNC, {"payload": {"tokenKey": org_id, "adapter": "pco"}})
    assert code == 200, answer
    return str(answer["executionId"])


def status(compose: Compose, execution: str) -> str:
    found = str(compose.call("GET", f"{SYNC}/executions/{execution}")[1]["status"])
    assert found not in {"failed", "canceled"}
    return found


def worker_of(compose: Compose, org_id: str) -> str:
    """The container that syncs the org: leases name their holder's host, which is the container's short id."""
    held = "SELECT holder FROM sync.stream_states WHERE holder IS NOT NULL AND org_id = %s LIMIT 1"
    found: list[tuple[str]] = []

    def is_held() -> bool:  # between two walks nothing is
        with compose.database().connect() as connection:
            found[:] = connection.execute(held, (org_id,)).fetchall()
        return bool(found)

    compose.wait_until(is_held, "a worker to read something of the org")
    [(holder,)] = found
    host = holder.split(":")[0]
    [container] = [each for each in compose.containers("worker") if each.startswith(host)]
    assert done(docker("inspect", "--format", "{{.State.Running}}", container)) == "true"
    return container
