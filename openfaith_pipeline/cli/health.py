"""`health`: whether one of the long-running roles is working on this machine, for HEALTHCHECK and probes."""

import http.client
import socket
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Final

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.settings import load_settings

_SECONDS: Final = 5
_PORTS: Final = {"service": 3020, "webserver": 3000, "code-server": 4000}
_CODE: Final = "DagsterApi"  # the code server's name for itself in gRPC's protocol of health checks
_PAGES: Final = {"service": "/health", "webserver": "/server_info"}


class Role(StrEnum):
    """A process of a deployment."""

    SERVICE = "service"
    WEBSERVER = "webserver"
    CODE_SERVER = "code-server"
    DAEMON = "daemon"
    WORKER = "worker"


def health(
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="service, webserver, code-server, daemon or worker.")],
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65535, help="Where it listens.", show_default="3020, 3000 or 4000"),
    ] = None,
) -> None:
    """Check whether a role is working on this machine, for Docker and Kubernetes.

    The service, the webserver and the code server are asked. The daemon, and a worker of this machine, must have
    sent a heartbeat to the database lately.

    Examples:
      openfaith-pipeline health service
      openfaith-pipeline health worker

    Exit codes: 0 it works; 1 it does not; 2 configuration.
    """
    reason = _LOOKS[role](role, port or _PORTS.get(role, 0))
    if reason:
        terminal.complain(reason)
        raise typer.Exit(1)


def _page(role: Role, port: int) -> str | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("GET", _PAGES[role])
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"the {role} on port {port} does not answer: {error}"
    finally:
        connection.close()
    return None if status == http.HTTPStatus.OK else f"the {role} on port {port} answers {status}"


def _code_server(role: Role, port: int) -> str | None:
    """Asked as `dagster api grpc-health-check` does, without that command's two seconds of imports."""
    from grpc import RpcError, insecure_channel
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
    from grpc_health.v1.health_pb2_grpc import HealthStub

    try:
        with insecure_channel(f"127.0.0.1:{port}") as channel:
            answer = HealthStub(channel).Check(HealthCheckRequest(service=_CODE), timeout=2 * _SECONDS)
    except RpcError:
        return f"the {role} on port {port} does not answer"
    is_serving = answer.status == HealthCheckResponse.SERVING
    return None if is_serving else f"the {role} on port {port} answers that it does not serve"


def _daemon(_role: Role, _port: int) -> str | None:
    from openfaith_pipeline.service.health import is_daemon_alive

    with _database().connect() as connection:
        return None if is_daemon_alive(connection) else "Dagster's daemon has sent no heartbeat lately"


def _worker(_role: Role, _port: int) -> str | None:
    from openfaith_pipeline.load.run_workers import has_worker

    host = socket.gethostname()
    with _database().connect() as connection:
        return None if has_worker(connection, host) else f"no worker of {host} has sent a heartbeat lately"


def _database() -> Database:
    settings = load_settings()
    if settings.is_embedded:
        raise ConfigurationError("the daemon and workers are seen in the Postgres that all machines share: set DB_*")
    return database_at(settings, configured_url(settings))


_LOOKS: Final[dict[Role, Callable[[Role, int], str | None]]] = {
    Role.SERVICE: _page,
    Role.WEBSERVER: _page,
    Role.CODE_SERVER: _code_server,
    Role.DAEMON: _daemon,
    Role.WORKER: _worker,
}
