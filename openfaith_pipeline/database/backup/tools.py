"""Postgres' own programs for backups, of the version that fits the server.

pg_dump refuses a server newer than itself, and an older server may not read the dump of a newer one. So the oldest
programs that are not older than the server are used.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from openfaith_pipeline.database.binaries import wheel_directory
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.settings import Settings, environment_with

_PROGRAMS: Final = ("pg_dump", "pg_restore", "psql")
_INSTALLED: Final = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
_VERSION: Final = re.compile(r"\(PostgreSQL\) (\d+)")


@dataclass(frozen=True)
class Tools:
    """pg_dump, pg_restore and psql of one version."""

    directory: Path
    major: int

    def command(self, program: str, *arguments: str) -> list[str]:
        return [str(self.directory / program), *arguments]


def find_tools(settings: Settings, least: int) -> Tools:
    """The oldest programs of at least this major version; raises ConfigurationError naming it if there are none."""
    found = sorted(_found(settings), key=lambda tools: tools.major)
    for tools in found:
        if tools.major >= least:
            return tools
    has = ", ".join(f"{tools.major} in {tools.directory}" for tools in found) or "none"
    raise ConfigurationError(
        f"pg_dump, pg_restore and psql of PostgreSQL {least} or newer are needed, and there are: {has}. Install the"
        f" client programs of PostgreSQL {least}, and point OPENFAITH_POSTGRES_BIN at their directory"
    )


def environment_of(url: str) -> dict[str, str]:
    """This process's environment, and the password, which must not be among the arguments that everybody can list."""
    return environment_with(PGPASSWORD=unquote(urlsplit(url).password or ""), PGCONNECT_TIMEOUT="10")


def without_password(url: str) -> str:
    """The URL as an argument."""
    scheme, _, rest = url.partition("://")
    who, _, place = rest.partition("@")
    return f"{scheme}://{who.partition(':')[0]}@{place}"


def _found(settings: Settings) -> Iterator[Tools]:
    for directory in dict.fromkeys(_directories(settings)):
        if all((directory / program).is_file() for program in _PROGRAMS):
            major = _major(directory)
            if major is not None:
                yield Tools(directory, major)


def _directories(settings: Settings) -> Iterator[Path]:
    if settings.postgres_bin:
        yield settings.postgres_bin
    yield wheel_directory()
    for pattern in _INSTALLED:
        yield from Path("/").glob(pattern.lstrip("/"))
    on_path = shutil.which("pg_dump")
    if on_path:
        yield Path(os.path.realpath(on_path)).parent


def _major(directory: Path) -> int | None:
    try:
        shown = subprocess.run(
            [str(directory / "pg_dump"), "--version"], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(shown.stdout)
    return int(match.group(1)) if match else None
