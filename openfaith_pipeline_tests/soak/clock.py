"""The wall clock of everything in a soak: it runs as fast as ours, and is set forward when there is nothing to see.

`clock.c`, preloaded into every process, adds the seconds in one shared file to what the machine's clock says. So
nothing of the product is changed or hurried: its schedules, leases, retention and freshness, Dagster's cron and
Postgres' now() all go by a day that passes in a moment, as on a machine that was suspended meanwhile.
"""

import mmap
import os
import shlex
import shutil
import struct
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from openfaith_pipeline.errors import ConfigurationError

_SOURCE: Final = Path(__file__).with_name("clock.c")
_SECONDS: Final = struct.Struct("q")


class Clock:
    """The shared clock; it is only ever set forward."""

    def __init__(self, directory: Path) -> None:
        self._library = directory / "clock.so"
        self._file = directory / "clock"
        _compile(self._library)
        self._file.write_bytes(_SECONDS.pack(0))
        self._file.chmod(0o644)
        with self._file.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _SECONDS.size)

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a process, and all that it starts, goes by this clock."""
        return {"LD_PRELOAD": str(self._library), "SOAK_CLOCK": str(self._file)}

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self._ahead, UTC)

    def advance(self, seconds: int) -> None:
        _SECONDS.pack_into(self._shared, 0, self._ahead + seconds)

    @property
    def _ahead(self) -> int:
        return int(_SECONDS.unpack_from(self._shared)[0])

    def postgres_bin(self, directory: Path, binaries: Path) -> Path:
        """A directory of Postgres' programs whose server goes by this clock: it is started without variables."""
        directory.mkdir(mode=0o755)
        for program in binaries.iterdir():
            if program.name != "postgres":
                (directory / program.name).symlink_to(program)
        variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in self.environment.items())
        server = directory / "postgres"
        server.write_text(f'#!/bin/sh\n{variables} exec {shlex.quote(str(binaries / "postgres"))} "$@"\n')
        server.chmod(0o755)
        return directory


def _compile(library: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or os.name != "posix" or not Path("/proc/self").exists():
        raise ConfigurationError(
            "the soak's clock needs Linux and a C compiler (Debian: apt-get install gcc libc6-dev)"
        )
    command = (compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl", "-lpthread")
    subprocess.run(command, check=True)
    library.chmod(0o755)
