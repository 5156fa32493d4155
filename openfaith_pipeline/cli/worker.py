"""`worker` and `dagster`: one role of a deployment on many machines, replacing this process."""

import os
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.database import open_database
from openfaith_pipeline.errors import ConfigurationError, UsageError
from openfaith_pipeline.settings import environment_with, load_settings

_UI_PORT: Final = 3000
_ALONE: Final = ("--without-gossip", "--without-mingle")  # workers need nothing from each other

Concurrency = Annotated[
    int, typer.Option("--concurrency", "-c", min=1, max=256, help="Number of runs to execute at the same time.")
]
WaitSeconds = Annotated[
    int,
    typer.Option("--wait", metavar="SECONDS", min=0, max=3600, help="How long to wait for a broker that is starting."),
]


def worker(concurrency: Concurrency = 2, wait: WaitSeconds = 30) -> None:
    """Execute Dagster's runs from the broker in OPENFAITH_CELERY_BROKER on this machine, until SIGTERM.

    Any number of workers on any number of machines share the runs. All of them need the same DB_*, the same
    OPENFAITH_ENCRYPTION_KEYS and the same version. If a worker dies, another one continues its runs. A run waits in
    Dagster's queue until a worker has a slot for it.

    Examples:
      OPENFAITH_CELERY_BROKER=redis://broker:6379/0 openfaith-pipeline worker --concurrency 4
      OPENFAITH_CELERY_BROKER=pyamqp://user:password@rabbitmq// openfaith-pipeline worker

    Exit codes: 0 stopped by SIGTERM or Ctrl-C; 1 the database or the broker does not answer; 2 configuration, or the
    broker refuses the login.
    """
    from openfaith_pipeline.defs.instance import prepare_dagster_home

    settings = load_settings()
    if settings.celery_broker is None:
        raise ConfigurationError("OPENFAITH_CELERY_BROKER is not set: name the broker, such as redis://host:6379/0")
    if settings.is_embedded:
        raise ConfigurationError("a worker needs the Postgres that all machines share: set DB_*")
    if find_spec("celery") is None:
        raise ConfigurationError("Celery is not installed: pip install 'openfaith-pipeline[celery]'")
    from openfaith_pipeline.defs.celery_check import check_broker

    check_broker(settings.celery_broker.get_secret_value(), wait, terminal.say)
    with open_database(settings) as database:
        found_by = prepare_dagster_home(settings, database)
    terminal.say(f"executing runs, {concurrency} at a time")
    arguments = (
        "-A",
        "openfaith_pipeline.defs.celery_app",
        "worker",
        "-Q",
        "dagster",
        "--loglevel",
        "WARNING",
        *_ALONE,
    )
    command = [sys.executable, "-m", "celery", *arguments, "--concurrency", str(concurrency), "-n", f"{os.getpid()}@%h"]
    _become(command, environment_with(**found_by))


class Role(StrEnum):
    """One of Dagster's processes."""

    CODE_SERVER = "code-server"
    WEBSERVER = "webserver"
    DAEMON = "daemon"


def run_dagster(
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="code-server, webserver or daemon.")],
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            help="Address to listen on; not for the daemon.",
            show_default="OPENFAITH_LISTEN, else 127.0.0.1",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65535, help="Port of the webserver.", show_default="3000"),
    ] = None,
    code_host: Annotated[str, typer.Option("--code-server-host", help="Host of the code server.")] = "127.0.0.1",
    code_port: Annotated[
        int, typer.Option("--code-server-port", min=1, max=65535, help="Port of the code server, for every role.")
    ] = 4000,
) -> None:
    """Run one of Dagster's processes, possibly each on its own machine, until SIGTERM.

    On one machine `openfaith-pipeline dev` runs them all. The webserver does not authenticate anyone: keep it behind a
    proxy that does.

    Examples:
      openfaith-pipeline dagster code-server --host 0.0.0.0 --code-server-port 4000
      openfaith-pipeline dagster webserver --host 0.0.0.0 --port 3000 --code-server-host code
      openfaith-pipeline dagster daemon --code-server-host code

    Exit codes: 0 stopped by SIGTERM or Ctrl-C; 1 the database does not answer; 2 configuration.
    """
    from openfaith_pipeline.defs import instance

    if port is not None and role is not Role.WEBSERVER:
        raise UsageError(f"--port is the webserver's: the {role} goes by --code-server-port")
    if host is not None and role is Role.DAEMON:
        raise UsageError("--host is an address to listen on, and the daemon listens on none: --code-server-host")
    settings = load_settings()
    if settings.is_embedded:
        raise ConfigurationError("Dagster's processes need the Postgres that all machines share: set DB_*")
    with open_database(settings) as database:
        found_by = instance.prepare_dagster_home(settings, database)
    host = host or settings.listen
    if role is Role.CODE_SERVER:
        spec = instance.code_server(found_by, code_port, host)
    elif role is Role.WEBSERVER:
        spec = instance.webserver(found_by, port or _UI_PORT, code_port, host, code_host)
    else:
        spec = instance.daemon(found_by, code_port, code_host)
    _become(spec.command, spec.environment, spec.directory)


def _become(command: Sequence[str], environment: Mapping[str, str], directory: Path | None = None) -> None:
    """Replace this process by the command, so that our supervisor supervises it directly."""
    if directory:
        os.chdir(directory)
    os.execve(command[0], [*command], environment)  # noqa: S606 - our own interpreter
