"""Clean environments with the built package and its runtime dependencies only."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
WITHOUT = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSAFEPATH")


@dataclass(frozen=True)
class Installed:
    """An environment that the package is installed in, and a directory to call it from, outside the repository."""

    environment: Path
    home: Path

    @property
    def variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in WITHOUT}
        return {**kept, "OPENFAITH_HOME": str(self.home)}

    def command(self, program: str, *arguments: str) -> list[str]:
        return [str(self.environment / "bin" / program), *arguments]

    def run(self, program: str, *arguments: str, seconds: float = 240) -> str:
        """Its stdout; fails with all its output unless it ends with 0."""
        ended = subprocess.run(
            self.command(program, *arguments),
            env=self.variables,
            cwd=self.home.parent,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert ended.returncode == 0, f"{program} {arguments}: {ended.stdout}{ended.stderr}"
        return ended.stdout


def build(target: Path) -> tuple[Path, Path]:
    """The sdist, and the wheel that was built from it."""
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(ROOT))
    (sdist,), (wheel,) = target.glob("*.tar.gz"), target.glob("*.whl")
    return sdist, wheel


def install_by_index(python: str, wheel: Path, environment: Path) -> None:
    """As a user does it: pip finds the dependencies by the bounds of the wheel alone."""
    _run(python, "-m", "venv", str(environment))
    _run(str(environment / "bin/python"), "-m", "pip", "install", "--quiet", str(wheel))


def install_by_links(wheel: Path, environment: Path) -> None:
    """Without a download: the wheel's dependencies, and no others, are linked from the environment of the tests."""
    _run(sys.executable, "-m", "venv", "--without-pip", str(environment))
    (site,) = environment.glob("lib/python*/site-packages")
    for distribution in _needed("openfaith-pipeline"):
        _link(distribution, site)
    # pip checks the versions that it finds against the wheel's bounds.
    at = ("--python", str(environment / "bin/python"))
    _run(sys.executable, "-m", "pip", *at, "install", "--quiet", "--no-index", str(wheel))


def _needed(name: str) -> Iterator[metadata.Distribution]:
    """The dependencies of a distribution, also indirect ones, for this Python and platform."""
    seen: set[tuple[str, str]] = set()
    open_ends = [(name, "")]
    while open_ends:
        end = open_ends.pop()
        if end in seen:
            continue
        seen.add(end)
        for line in metadata.requires(end[0]) or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": end[1]}):
                open_ends += [(canonicalize_name(requirement.name), extra) for extra in ("", *requirement.extras)]
    yield from (metadata.distribution(found) for found in {found for found, _ in seen} - {name})


def _link(distribution: metadata.Distribution, site: Path) -> None:
    for file in distribution.files or ():
        if ".." not in file.parts:  # scripts, which name the interpreter of the tests
            target = site / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(Path(str(distribution.locate_file(file))))


def _run(*command: str) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in WITHOUT}
    ended = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=900, check=False)
    assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
