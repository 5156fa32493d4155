"""A Docker engine, driven by its command line."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

ROOT = Path(__file__).parents[3]
IMAGE = "openfaith-pipeline"
_DOCKER = shutil.which("docker") or "docker"


def docker(*arguments: str, seconds: float = 300, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_DOCKER, *arguments], capture_output=True, text=True, timeout=seconds, check=False, input=stdin
    )


def done(ended: subprocess.CompletedProcess[str]) -> str:
    """Its output; a failure is the test's."""
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout.strip()


def inspected(container: str) -> dict[str, Any]:
    [found] = json.loads(done(docker("inspect", container)))
    return dict(found)


def health_of(container: str) -> str:
    """By HEALTHCHECK: starting, healthy or unhealthy."""
    return str(inspected(container)["State"]["Health"]["Status"])


def port_of(container: str, port: int) -> int:
    """Where on this machine the container's port is published."""
    [published] = inspected(container)["NetworkSettings"]["Ports"][f"{port}/tcp"]
    return int(published["HostPort"])


@contextmanager
def network() -> Iterator[str]:
    """A network for the block."""
    name = f"openfaith-test-{uuid4().hex[:8]}"
    done(docker("network", "create", name))
    try:
        yield name
    finally:
        docker("network", "rm", name)


def gateway(network: str) -> str:
    """The address of this machine in it, which containers of every network reach."""
    [found] = json.loads(done(docker("network", "inspect", network)))
    return str(found["IPAM"]["Config"][0]["Gateway"])


def need_engine() -> None:
    if not os.environ.get("DEPLOY_TESTS"):
        pytest.skip("containers are a part of `make test-deploy`")
    if shutil.which("docker") is None or docker("info").returncode != 0:
        pytest.skip("no Docker engine answers (Debian: apt-get install docker.io)")


def need_image(name: str) -> None:
    """An image of others: from here, else from its registry."""
    if docker("image", "inspect", name).returncode == 0:
        return
    pulled = docker("pull", name, seconds=600)
    if pulled.returncode != 0:
        pytest.skip(f"the image {name} is not here and cannot be pulled: {pulled.stderr.strip()}")


def wait_for_line(container: str, line: str, seconds: float = 120) -> None:
    """Until the container has printed it."""
    deadline = time.monotonic() + seconds
    while line not in (log := docker("logs", container)).stdout + log.stderr:
        assert time.monotonic() < deadline, log.stdout + log.stderr
        time.sleep(1)
