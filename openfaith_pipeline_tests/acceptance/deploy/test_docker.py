"""The image in a real Docker engine: `make test-deploy`. DEPLOY_IMAGE names a built image, else it is built."""

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from openfaith_pipeline_tests.unit.deploy.test_manifests import pods

ROOT = Path(__file__).parents[3]
DOCKER = shutil.which("docker") or "docker"
READ_ONLY = ("--read-only", "--cap-drop=ALL", "--tmpfs", "/var/lib/openfaith")
NOWHERE = {
    "DB_HOST_PRIMARY": "127.0.0.1",
    "DB_NAME": "none",
    "DB_USERNAME": "none",
    "DB_PASSWORD": "none",
    "OPENFAITH_ENCRYPTION_KEYS": "b3BlbmZhaXRoLXRlc3RzLW1hZGUtdXAta2V5LTMyLWI=",
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def docker(*arguments: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run([DOCKER, *arguments], capture_output=True, text=True, timeout=seconds, check=False)


def settings() -> list[str]:
    return [part for name, value in NOWHERE.items() for part in ("--env", f"{name}={value}")]


@pytest.fixture(scope="module")
def image() -> str:
    if not os.environ.get("DEPLOY_TESTS"):
        pytest.skip("containers are a part of `make test-deploy`")
    if shutil.which("docker") is None or docker("info").returncode != 0:
        pytest.skip("no Docker engine answers (Debian: apt-get install docker.io)")
    if named := os.environ.get("DEPLOY_IMAGE"):
        return named
    built = docker("build", "--network", "host", "--tag", "openfaith-pipeline", str(ROOT), seconds=1500)
    assert built.returncode == 0, built.stderr
    return "openfaith-pipeline"


@pytest.mark.parametrize("user", ["10001", "12345", "12345:12345"])
def test_any_user_and_a_read_only_root(image: str, user: str) -> None:
    ended = docker("run", "--rm", *READ_ONLY, "--user", user, image, "--version")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("openfaith-pipeline ")


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
    ended = docker("run", "--rm", *READ_ONLY, image, *arguments)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(("name", "pod"), list(pods()))
def test_arguments_of_the_manifests_reach_the_database(image: str, name: str, pod: dict) -> None:
    """Every role gets as far as the Postgres that is not there, and names it."""
    arguments = [*pod["containers"][0]["args"], *(["--wait", "0"] if name == "upgrade" else [])]
    started = docker("run", "--detach", *READ_ONLY, *settings(), image, *arguments)
    assert started.returncode == 0, started.stderr
    container = started.stdout.strip()
    try:
        deadline = time.monotonic() + 120
        while "127.0.0.1:5432" not in (log := docker("logs", container)).stdout + log.stderr:
            assert time.monotonic() < deadline, log.stdout + log.stderr
            time.sleep(1)
    finally:
        docker("rm", "--force", container)


def test_the_service_is_reached_where_it_is_published(image: str) -> None:
    started = docker("run", "--detach", "--publish", "127.0.0.1::3020", *READ_ONLY, *settings(), image, "serve")
    assert started.returncode == 0, started.stderr
    container = started.stdout.strip()
    try:
        [port] = json.loads(docker("inspect", container).stdout)[0]["NetworkSettings"]["Ports"]["3020/tcp"]
        assert answer(f"http://127.0.0.1:{port['HostPort']}/health") == {"status": "ok"}
        assert docker("exec", container, "openfaith-healthcheck").returncode == 0
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
