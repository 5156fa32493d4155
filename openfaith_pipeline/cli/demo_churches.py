"""The two made-up churches of the demo: their parameters, their simulator, and their connections.

`OPENFAITH_HOME/demo.json` keeps the parameters, so that `dev` finds the same churches at the same address.
"""

import json
import socket
import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from openfaith_pipeline.cli.simulator import churches_of
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import ConfigurationError, UnknownOrg
from openfaith_pipeline.network.credentials import PersonalAccessToken
from openfaith_pipeline.orgs.registry import Org, get_org
from openfaith_pipeline.processes.supervisor import Service, Supervisor
from openfaith_pipeline.settings import Settings, environment_with
from openfaith_pipeline.simulator import ChurchSpec, SimulatorClient
from openfaith_pipeline.sources import DEFAULT_SOURCE

_START_SECONDS: Final = 60.0
_NEWCOMERS: Final = 3
_LOOK_SECONDS: Final = 3.0  # another program at its port may take a request and never answer


@dataclass(frozen=True)
class DemoChurches:
    """port: of the simulator, on the loopback. sizes: people in each church. rate_limit, until, newcomers: as options.

    until stays the day of the first demo, so that later ones find the same records.
    """

    port: int
    sizes: tuple[int, ...] = (100, 50)
    rate_limit: str = "300/20"
    seed: int = 7
    until: str | None = None
    newcomers: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def churches(self) -> tuple[ChurchSpec, ...]:
        day = datetime.fromisoformat(self.until).replace(tzinfo=UTC) if self.until else None
        until = int(day.timestamp()) if day else None
        return churches_of(self.sizes, self.seed, until=until, newcomers=self.newcomers)


def load_demo(settings: Settings) -> DemoChurches | None:
    """The demo of this home, None if there was none."""
    path = _path(settings)
    try:
        kept = json.loads(path.read_text())
        sizes = tuple(int(size) for size in kept["sizes"])
        until = date.fromisoformat(kept["until"]).isoformat() if kept.get("until") else None
        newcomers = int(kept.get("newcomers", 0))
        return DemoChurches(int(kept["port"]), sizes, str(kept["rate_limit"]), int(kept["seed"]), until, newcomers)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError(f"{path} is damaged; delete it and run openfaith-pipeline demo again") from None


def start_simulator(demo: DemoChurches, settings: Settings, supervisor: Supervisor) -> DemoChurches:
    """Start the simulator: on its last port if that is free, otherwise on another."""
    if is_answering(demo):
        return demo
    placed = demo if is_free(demo.port) else replace(demo, port=free_port())
    _path(settings).write_text(json.dumps(asdict(placed)))
    supervisor.start(_service(placed, settings))
    supervisor.wait_until(lambda: is_answering(placed), what="the simulator", seconds=_START_SECONDS)
    return placed


def let_people_join(demo: DemoChurches, settings: Settings) -> DemoChurches:
    """Let people join a list of each church, for good: a first sync cannot answer who is new on it."""
    placed = replace(demo, newcomers=_NEWCOMERS)
    _path(settings).write_text(json.dumps(asdict(placed)))
    for church in placed.churches:
        SimulatorClient(placed.url).let_join(church.org_id, placed.newcomers)
    return placed


def connect_churches(demo: DemoChurches, database: Database, *, only: Collection[str] | None = None) -> list[Org]:
    """Connect the churches, or update their connections with the simulator's current address.

    only: the ids of those to connect; by default all.
    """
    cipher = cipher_from(database.settings)
    chosen = [church for church in demo.churches if only is None or church.org_id in only]
    with database.connect() as connection:
        for church in chosen:
            token = PersonalAccessToken(church.credentials.app_id, SecretStr(church.credentials.secret))
            organization_id = str(church.organization_id)
            add_org(
                connection,
                cipher,
                church.org_id,
                church.name,
                token,
                api_url=demo.url,
                organization_id=organization_id,
                adapter=DEFAULT_SOURCE.adapter,
            )
        return [get_org(connection, church.org_id) for church in chosen]


def connected_churches(demo: DemoChurches, database: Database) -> Sequence[str]:
    """The churches that have not been removed since."""
    found = []
    with database.connect() as connection:
        for church in demo.churches:
            try:
                found.append(get_org(connection, church.org_id).org_id)
            except UnknownOrg:
                continue
    return found


def is_free(port: int) -> bool:
    """Whether a program can listen on this port of the loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _service(demo: DemoChurches, settings: Settings) -> Service:
    sizes = [part for size in demo.sizes for part in ("--people", str(size))]
    command = [sys.executable, "-m", "openfaith_pipeline.cli", "simulator", "--latency", *sizes]
    command += ["--rate-limit", demo.rate_limit, "--seed", str(demo.seed), "--port", str(demo.port)]
    command += ["--until", demo.until] if demo.until else []
    command += ["--newcomers", str(demo.newcomers)]
    return Service("simulator", command, environment_with(), settings.home / "logs" / "simulator.log")


def is_answering(demo: DemoChurches) -> bool:
    """Whether the simulator of exactly these churches answers there, and not another program."""
    try:
        answering = SimulatorClient(demo.url, seconds=_LOOK_SECONDS).churches()
        found = {(church["org_id"], church["people"]) for church in answering}
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        return False
    return found == {(church.org_id, church.people) for church in demo.churches}


def _path(settings: Settings) -> Path:
    return settings.home / "demo.json"
