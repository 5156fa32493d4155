"""A church synced by a process of its own, so that what is measured is that process and nothing else."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
from pydantic import SecretStr

from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.network.credentials import PersonalAccessToken
from openfaith_pipeline.settings import Settings, environment_with
from openfaith_pipeline.simulator import RateLimit, SimulatorClient
from openfaith_pipeline.sources import STREAMS

TEN_STREAMS: Final = (
    "people.people",
    "people.emails",
    "people.phone_numbers",
    "people.addresses",
    "people.field_definitions",
    "people.field_data",
    "people.households",
    "groups.groups",
    "groups.memberships",
    "giving.donations",
)
"""People and what belongs to them, listings of tens of thousands of rows, and one for each of many groups."""

NO_LIMIT: Final = RateLimit(limit=10**6, high_offset_limit=10**6)
"""A limit that is never reached. It has to be told: where no answer names one, ours keeps to the documented limit."""

PAGE: Final = 100


@dataclass(frozen=True)
class Place:
    """A database of this run alone, in a directory that goes with it."""

    home: Path
    database: Database

    @property
    def environment(self) -> dict[str, str]:
        return environment_with(OPENFAITH_HOME=str(self.home))


@contextmanager
def fresh_place() -> Iterator[Place]:
    """An embedded Postgres with its usual settings (it waits for the disk), empty and migrated."""
    with tempfile.TemporaryDirectory(prefix="openfaith-bench-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)  # as root, Postgres runs as another user
        settings = Settings(home=Path(directory) / "home")
        with open_database(settings, makes_home=True) as database:
            yield Place(settings.home, database)


def connect(place: Place, simulator: SimulatorClient) -> str:
    """Connect the simulator's first church; its org id."""
    church = simulator.churches()[0]
    token = PersonalAccessToken(church["app_id"], SecretStr(church["secret"]))
    with place.database.connect() as connection:
        cipher = cipher_from(place.database.settings)
        add_org(connection, cipher, church["org_id"], church["name"], token, api_url=simulator.url, adapter="pco")
    return str(church["org_id"])


def sync(
    place: Place,
    org_id: str,
    streams: Sequence[str] = (),
    *,
    mode: str = "incremental",
    is_canonical: bool = False,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Sync in a child process (`benchmarks.syncing`); what it measured, and `postgres_cpu_seconds` meanwhile.

    streams: all when there are none. is_canonical: transform too. environment: more variables for the process.
    """
    asked = {"org_id": org_id, "streams": list(streams or STREAMS), "mode": mode, "is_canonical": is_canonical}
    before = postgres_cpu_seconds(place)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.syncing", json.dumps(asked)],
        env={**place.environment, **(environment or {})},
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the sync failed with exit code {done.returncode}")
    return {**json.loads(done.stdout), "postgres_cpu_seconds": round(postgres_cpu_seconds(place) - before, 2)}


def postgres_cpu_seconds(place: Place) -> float:
    """CPU time that the server and all its backends, ended ones too, have taken so far."""
    pid = int((place.home / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])
    postmaster = psutil.Process(pid)
    own = postmaster.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for backend in postmaster.children(recursive=True):
        try:
            times = backend.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def peak_memory(pid: int | str = "self") -> int:
    """Peak resident memory of a process in bytes. (`ru_maxrss` would include what its parent had before the exec.)"""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def requests_of_one_list_each(simulator: SimulatorClient, org_id: str, streams: Sequence[str]) -> int:
    """How many requests reading each stream by a listing of its own takes: ours with 100 rows, one for each parent."""
    counts: Mapping[str, int] = {name: len(simulator.truth(org_id, name)) for name in streams}
    return sum(
        counts[parent] if (parent := STREAMS[name].parent) else max(1, -(-counts[name] // PAGE)) for name in streams
    )


def be_nice() -> None:
    """Leave the machine to those who share it."""
    os.nice(5)
