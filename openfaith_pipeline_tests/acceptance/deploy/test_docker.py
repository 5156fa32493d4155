"""The image in a real Docker engine: `make test-deploy`. DEPLOY_IMAGE names a built image, else it is built."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from openfaith_pipeline_tests.acceptance.deploy.engine import (
    docker,
    done,
    inspected,
    need_image,
    network,
    wait_for_line,
)
from openfaith_pipeline_tests.planted import ENCRYPTION_KEY
from openfaith_pipeline_tests.unit.deploy.test_manifests import pods

READ_ONLY = ("--read-only", "--cap-drop=ALL")
HOME = ("--tmpfs", "/var/lib/openfaith")
NOWHERE = {
    "DB_HOST_PRIMARY": "127.0.0.1",
    "DB_NAME": "none",
    "DB_USERNAME": "none",
    "DB_PASSWORD": "none",
    "OPENFAITH_ENCRYPTION_KEYS": ENCRYPTION_KEY,
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def settings(variables: dict[str, str] | None = None) -> list[str]:
    return [part for name, value in {**NOWHERE, **(variables or {})}.items() for part in ("--env", f"{name}={value}")]


@pytest.fixture
def volume() -> Iterator[str]:
    name = done(docker("volume", "create"))
    yield name
    docker("volume", "rm", "--force", name)


@pytest.mark.parametrize("user", ["10001", "12345", "12345:12345"])
def test_any_user_and_a_read_only_root(image: str, user: str) -> None:
    ended = docker("run", "--rm", *READ_ONLY, *HOME, "--user", user, image, "--version")
    assert done(ended).startswith("openfaith-pipeline ")


def test_everything_that_is_kept_is_in_the_one_volume(image: str, volume: str) -> None:
    """A Postgres of its own included, which only a user whom the image knows can make."""
    run = ("run", "--rm", *READ_ONLY, "--volume", f"{volume}:/var/lib/openfaith", image)
    done(docker(*run, "demo", "--people", "20"))
    [church] = json.loads(done(docker(*run, "status", "--json")))
    assert church["connection"]["state"] == "connected"
    assert church["streams"]["people.people"]["status"] == "succeeded"


@pytest.mark.parametrize(
    "arguments",
    [
        ["dagster", "api", "execute_run", "--help"],
        ["dagster", "api", "grpc", "--help"],
        ["dagster-daemon", "run", "--help"],
        ["/bin/sh", "-c", "dagster-webserver --help"],
        ["python", "-c", "import openfaith_pipeline.defs.kubernetes_launcher, openfaith_pipeline.defs.celery_launcher"],
    ],
)
def test_programs_that_dagsters_chart_and_run_pods_start(image: str, arguments: list[str]) -> None:
    done(docker("run", "--rm", *READ_ONLY, *HOME, image, *arguments))


@pytest.mark.parametrize(("name", "pod"), list(pods()))
def test_arguments_of_the_manifests_reach_the_database(image: str, name: str, pod: dict) -> None:
    """Every role gets as far as the Postgres that is not there, and names it."""
    arguments = [*pod["containers"][0]["args"], *(["--wait", "0"] if name == "upgrade" else [])]
    container = done(docker("run", "--detach", *READ_ONLY, *HOME, *settings(), image, *arguments))
    try:
        wait_for_line(container, "127.0.0.1:5432")
    finally:
        docker("rm", "--force", container)


def test_the_upgrade_waits_for_a_postgres_that_starts(image: str) -> None:
    need_image("postgres:18")
    there = {"DB_HOST_PRIMARY": "late", "DB_NAME": "late", "DB_USERNAME": "late"}
    made = ("POSTGRES_USER=late", "POSTGRES_DB=late", "POSTGRES_PASSWORD=none")
    variables = [part for each in made for part in ("--env", each)]
    with network() as joined:
        run = ("run", "--detach", "--network", joined)
        upgrade = done(docker(*run, *READ_ONLY, *HOME, *settings(there), image, "db", "upgrade", "--wait", "120"))
        containers = [upgrade]
        try:
            time.sleep(8)  # it would have given up, did it not wait
            assert inspected(upgrade)["State"]["Running"] is True
            containers.append(done(docker(*run, "--network-alias", "late", *variables, "postgres:18")))
            assert done(docker("wait", upgrade)) == "0", docker("logs", upgrade).stderr
        finally:
            docker("rm", "--force", "--volumes", *containers)


def test_the_service_is_reached_where_it_is_published(image: str) -> None:
    run = ("run", "--detach", "--publish", "127.0.0.1::3020")
    container = done(docker(*run, *READ_ONLY, *HOME, *settings(), image, "serve"))
    try:
        [port] = inspected(container)["NetworkSettings"]["Ports"]["3020/tcp"]
        assert answer(f"http://127.0.0.1:{port['HostPort']}/health") == {"status": "ok"}
        done(docker("exec", container, "openfaith-healthcheck"))
    finally:
        docker("rm", "--force", container)


def answer(url: str) -> object:
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - on loopback
                return json.load(response)
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(1)
