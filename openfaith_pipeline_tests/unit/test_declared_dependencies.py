"""The dependencies that the package declares, and the versions that the tests run with."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = [line for extra, lines in PROJECT["optional-dependencies"].items() if extra != "dev" for line in lines]
NEEDED = [Requirement(line) for line in (*PROJECT["dependencies"], *EXTRAS)]
PINS = dict(re.findall(r"^([^=\s]+)==(\S+)$", (ROOT / "constraints.txt").read_text().lower(), re.MULTILINE))
ANY_NEWER = {"certifi"}  # certificates of authorities: only the newest are right


def test_each_line_of_the_constraints_is_a_pin() -> None:
    assert len(PINS) == len((ROOT / "constraints.txt").read_text().splitlines())


@pytest.mark.parametrize("requirement", NEEDED, ids=lambda requirement: requirement.name)
def test_a_dependency_has_bounds_around_the_tested_version(requirement: Requirement) -> None:
    bounds = {specifier.operator for specifier in requirement.specifier}

    assert bounds == ({">="} if requirement.name in ANY_NEWER else {">=", "<"})
    assert requirement.specifier.contains(PINS[requirement.name.lower()])
