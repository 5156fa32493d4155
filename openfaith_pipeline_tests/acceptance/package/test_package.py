"""The package that people install: built, installed where nothing else is, and used outside the repository.

`make test-package` sets PACKAGE_PYTHONS and installs with pip from the package index, on each of those Pythons.
"""

import json
import os
import re
import subprocess
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from openfaith_pipeline_tests.acceptance.package.installing import (
    ROOT,
    Installed,
    build,
    install_by_index,
    install_by_links,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

PYTHONS = os.environ.get("PACKAGE_PYTHONS", "").split()
DEMO = ("demo", "--people", "3", "--people", "2", "--rate-limit", "none", "--product", "groups", "--json")
# Every module but those of the extras `celery` and `kubernetes`, and those that run on import.
IMPORT_ALL = """
import importlib, pkgutil, sys
import openfaith_pipeline
from openfaith_pipeline import run_pco_sync
for module in pkgutil.walk_packages(openfaith_pipeline.__path__, "openfaith_pipeline."):
    is_extra = ".celery_" in module.name or ".kubernetes_" in module.name
    if not is_extra and not module.name.endswith((".__main__", ".migrations.env")):
        importlib.import_module(module.name)
print(openfaith_pipeline.__file__, callable(run_pco_sync))
"""


def declared_version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


@contextmanager
def serving(installed: Installed) -> Iterator[str]:
    """The URL of the service while it runs; it has to end by itself when it is interrupted."""
    service = subprocess.Popen(
        installed.command("openfaith-pipeline", "serve", "--port", "0"),
        env=installed.variables,
        cwd=installed.home.parent,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert service.stdout
        found = re.search(r"http://\S+", service.stdout.readline())
        assert found
        yield found[0]
    finally:
        service.terminate()
        service.communicate(timeout=60)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module", params=PYTHONS or [None], ids=lambda python: python or "linked")
def installed(built: tuple[Path, Path], request: pytest.FixtureRequest, open_directory: Path) -> Iterator[Installed]:
    python, wheel = request.param, built[1]
    environment = open_directory / f"environment-{python or 'linked'}"  # Postgres has to reach its programs
    if python is None:
        install_by_links(wheel, environment)
    else:
        install_by_index(python, wheel, environment)
    package = Installed(environment, open_directory / f"package-{python or 'linked'}")
    yield package
    package.run("openfaith-pipeline", "db", "stop")


def test_every_file_of_the_package_is_in_the_wheel_and_the_license_in_both(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as sdist, zipfile.ZipFile(built[1]) as wheel:
        in_sdist = {name.split("/", 1)[-1] for name in sdist.getnames()}
        in_wheel = set(wheel.namelist())
    files = [path for path in (ROOT / "openfaith_pipeline").rglob("*") if path.is_file() and path.suffix != ".pyc"]

    assert {str(path.relative_to(ROOT)) for path in files} - in_wheel == set()
    assert [name for name in in_wheel if name.endswith("licenses/LICENSE")]
    assert {"LICENSE", "CHANGELOG.md", "constraints.txt", "docs/cli.md"} <= in_sdist


def test_the_installed_package_migrates_syncs_and_serves_without_the_repository(installed: Installed) -> None:
    version = installed.run("openfaith-pipeline", "--version").splitlines()[0]
    migrated = json.loads(installed.run("openfaith-pipeline", "db", "upgrade", "--json"))
    where, is_callable = installed.run("python", "-c", IMPORT_ALL).split()
    demo = json.loads(installed.run("openfaith-pipeline", *DEMO))

    assert version == f"openfaith-pipeline {declared_version()}"
    assert migrated == {"was_current": False}
    assert Path(where).is_relative_to(installed.environment)
    assert is_callable == "True"
    assert {stream["status"] for org in demo["orgs"].values() for stream in org["streams"].values()} == {"succeeded"}
    with serving(installed) as url:
        assert httpx.get(f"{url}/health").status_code == 200
        assert httpx.get(f"{url}/health/ready").status_code == 200
        page = httpx.get(f"{url}/")
        assert page.status_code == 200
        assert all(org_id in page.text for org_id in demo["orgs"])
