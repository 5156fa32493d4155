"""`dev`: the whole product on this machine, until Ctrl-C."""

import http.client
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.demo import RELEASE_DATABASE
from openfaith_pipeline.cli.demo_churches import (
    connect_churches,
    connected_churches,
    free_port,
    is_free,
    load_demo,
    start_simulator,
)
from openfaith_pipeline.cli.home import open_or_make
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.database.locks import locked
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable, UsageError
from openfaith_pipeline.processes.supervisor import Service, Supervisor
from openfaith_pipeline.settings import Settings, environment_with, load_settings

if TYPE_CHECKING:
    from openfaith_pipeline.defs.instance import ProcessSpec

_START_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.5
_DATABASE_LOOK_SECONDS: Final = 5.0


def dev(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of the Dagster UI on 127.0.0.1.")] = 3000,
    service_port: Annotated[
        int, typer.Option("--service-port", min=1, max=65535, help="Port of the HTTP service on 127.0.0.1.")
    ] = 3020,
) -> None:
    """Run the Dagster UI, the HTTP service and everything they need, including the simulator after `demo`.

    Their logs are in OPENFAITH_HOME/logs; errors are also shown here. Processes that end are restarted. Ctrl-C stops
    all.

    Examples:
      openfaith-pipeline dev
      openfaith-pipeline dev --port 3001 --service-port 3021

    Exit codes: 0 stopped by Ctrl-C or SIGTERM; 1 a process does not keep running; 2 a port is in use, or `dev` is
    running.
    """
    settings = load_settings()
    _check_ports({"--port": port, "--service-port": service_port})
    _end_with_terminal()
    with _stopping(), ExitStack() as stack:
        database = stack.enter_context(open_or_make(settings))
        stack.enter_context(_alone(settings))
        supervisor = stack.enter_context(Supervisor(terminal.say, RELEASE_DATABASE if settings.is_embedded else ()))
        # After Ctrl-C, the shutdown must not be interrupted by another one.
        stack.callback(_ignore_signals)
        has_simulator = _start_simulator(settings, database, supervisor)
        _start_dagster(settings, database, supervisor, port)
        dagster_url = settings.dagster_url or f"http://127.0.0.1:{port}"
        _start_service(
            settings, database, supervisor, service_port, is_reached_here=has_simulator, dagster_url=dagster_url
        )
        terminal.output().print(f"The service is at http://127.0.0.1:{service_port}")
        terminal.output().print(f"Dagster is at http://127.0.0.1:{port} (Ctrl-C stops everything)")
        _look_after(supervisor, database, stack)


def _start_simulator(settings: Settings, database: Database, supervisor: Supervisor) -> bool:
    """Start the demo's simulator, if there was a demo and its churches are still connected; returns whether it did."""
    demo = load_demo(settings)
    if demo is None or not connected_churches(demo, database):
        return False
    placed = start_simulator(demo, settings, supervisor)
    if placed != demo:
        connect_churches(placed, database)
    terminal.say(f"the demo's churches are at {placed.url}")
    return True


def _start_dagster(settings: Settings, database: Database, supervisor: Supervisor, port: int) -> None:
    from openfaith_pipeline.defs.instance import code_server, daemon, prepare_dagster_home, webserver

    environment = prepare_dagster_home(settings, database)
    code_port = free_port()
    supervisor.start(_service(code_server(environment, code_port), settings))
    supervisor.wait_until(lambda: _is_listening(code_port), what="the code server", seconds=_START_SECONDS)
    supervisor.start(_service(daemon(environment, code_port), settings))
    supervisor.start(_service(webserver(environment, port, code_port), settings))
    supervisor.wait_until(lambda: _is_serving(port), what="the Dagster UI", seconds=_START_SECONDS)


def _start_service(
    settings: Settings,
    database: Database,
    supervisor: Supervisor,
    port: int,
    *,
    is_reached_here: bool,
    dagster_url: str,
) -> None:
    """is_reached_here: whether simulated churches deliver their webhooks to this port by default."""
    from openfaith_pipeline.defs.instance import prepare_dagster_home

    where = ("--host", "127.0.0.1", "--port", str(port))  # not OPENFAITH_LISTEN: all here expect it there
    command = (sys.executable, "-m", "openfaith_pipeline.cli", "serve", *where)
    environment = environment_with(**prepare_dagster_home(settings, database), OPENFAITH_DAGSTER_URL=dagster_url)
    if is_reached_here and settings.public_url is None:
        environment["OPENFAITH_PUBLIC_URL"] = f"http://127.0.0.1:{port}"
    supervisor.start(Service("service", command, environment, settings.home / "logs" / "service.log"))
    supervisor.wait_until(lambda: _is_listening(port), what="the service", seconds=_START_SECONDS)


def _check_ports(ports: Mapping[str, int]) -> None:
    for option, port in ports.items():
        if not is_free(port):
            raise UsageError(
                f"port {port} of 127.0.0.1 is in use; choose another: openfaith-pipeline dev {option} {port + 1}"
            )
    if len(set(ports.values())) < len(ports):
        raise UsageError(f"{' and '.join(ports)} are the same port; choose another for one")


def _service(spec: "ProcessSpec", settings: Settings) -> Service:
    log = settings.home / "logs" / f"{spec.name.replace(' ', '-')}.log"
    return Service(spec.name, spec.command, spec.environment, log, directory=spec.directory)


def _look_after(supervisor: Supervisor, database: Database, stack: ExitStack) -> None:
    """Keep everything running until a signal."""
    looked_at = time.monotonic()
    while True:
        time.sleep(_LOOK_SECONDS)
        supervisor.check()
        if time.monotonic() - looked_at > _DATABASE_LOOK_SECONDS:
            _look_after_database(database, stack)
            looked_at = time.monotonic()


def _look_after_database(database: Database, stack: ExitStack) -> None:
    try:
        database.connect().close()
    except DatabaseUnavailable as error:
        terminal.say(f"Postgres does not answer: {error}")
        if database.settings.is_embedded:
            _restart_database(database, stack)


def _restart_database(database: Database, stack: ExitStack) -> None:
    """Start the embedded server again; if that fails, as on a full disk, the next look tries again."""
    try:
        stack.enter_context(open_database(database.settings))
    except (ConfigurationError, DatabaseUnavailable) as error:
        terminal.say(f"Postgres cannot be started, trying again: {error}")
    else:
        terminal.say("Postgres has been restarted")


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Allow only one `dev` for one home: two daemons would each start the due runs."""
    lock = settings.home / "dev.lock"
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        with locked(lock, seconds=0):
            yield
    except TimeoutError:
        raise UsageError(f"openfaith-pipeline dev is already running on {settings.home}") from None
    except OSError as error:
        raise ConfigurationError(f"{lock} cannot be used: {error.strerror}; check OPENFAITH_HOME") from error


@contextmanager
def _stopping() -> Iterator[None]:
    """Ctrl-C and SIGTERM end this verb normally, not as failures."""
    try:
        yield
    except KeyboardInterrupt:
        terminal.say("stopped")


def _end_with_terminal() -> None:
    """End when the terminal is closed, unless signals of that are ignored, as by nohup."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.default_int_handler)


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _is_serving(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/server_info")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
