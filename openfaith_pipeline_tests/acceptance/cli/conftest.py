"""One home in which the demo was run, for all tests of this folder; and watching processes."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from openfaith_pipeline_tests.verbs import Outcome, Verbs

# Small churches of one product: nothing tested here depends on the amount of data.
DEMO = ("demo", "--people", "20", "--people", "8", "--rate-limit", "none", "--product", "people", "--json")


@pytest.fixture(scope="session")
def demo_home(open_directory: Path) -> Iterator[Path]:
    home = open_directory / "demo"
    yield home
    Verbs({"OPENFAITH_HOME": str(home)})("db", "stop")


@pytest.fixture(scope="session")
def verb(demo_home: Path) -> Verbs:
    return Verbs({"OPENFAITH_HOME": str(demo_home)})


@pytest.fixture(scope="session")
def demo(verb: Verbs) -> Outcome:
    """How the first demo in the home ended."""
    return verb(*DEMO)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
