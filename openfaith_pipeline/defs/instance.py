"""Dagster's instance on our database: DAGSTER_HOME, the instance object, and the commands of its processes."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Final

import dagster as dg

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.dagster_private import InstanceRef
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.settings import Settings, environment_with

LOCATION_NAME: Final = "openfaith_pipeline"
CODE_MODULE: Final = "openfaith_pipeline.definitions"
_SHIPPED: Final = ("dagster.yaml", "workspace.yaml")
_STORAGE: Final = {"module": "openfaith_pipeline.defs.storage", "class": "OpenFaithStorage"}
_LOCAL_LAUNCHER: Final = """  module: openfaith_pipeline.defs.launcher
  class: LeaseRunLauncher
"""
_CELERY_LAUNCHER: Final = """  module: openfaith_pipeline.defs.celery_launcher
  class: LeaseCeleryRunLauncher
"""
_HERE: Final = "127.0.0.1"
_QUIET: Final = ("--log-level", "warning")


@dataclass(frozen=True)
class ProcessSpec:
    """A process to start: its arguments and its whole environment.

    It is ready when its port, if any, accepts requests.
    directory: where it is started; None for ours.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    port: int | None = None
    directory: Path | None = None


def prepare_dagster_home(settings: Settings, database: Database) -> dict[str, str]:
    """Write the instance's configuration to DAGSTER_HOME; returns the environment variables for processes that use it.

    The variables contain the database's password: use them only as the environment of child processes.
    """
    home = settings.dagster_home
    texts = {name: files(__package__).joinpath(name).read_text() for name in _SHIPPED}
    texts["dagster.yaml"] = _given(settings) or _with_broker(texts["dagster.yaml"], settings)
    try:
        home.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            _write_if_changed(home / name, text)
    except OSError as error:
        raise ConfigurationError(f"DAGSTER_HOME {home} cannot be written: {error.strerror}") from error
    return {
        "DAGSTER_HOME": str(home),
        "OPENFAITH_HOME": str(settings.home),
        "OPENFAITH_DAGSTER_PG_URL": database.dagster_url,
    }


@contextmanager
def open_instance(settings: Settings, database: Database) -> Iterator[dg.DagsterInstance]:
    """The instance in this process."""
    prepare_dagster_home(settings, database)
    overrides = {"storage": {"custom": {**_STORAGE, "config": {"postgres_url": database.dagster_url}}}}
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(settings.dagster_home), overrides=overrides)) as instance:
        # For handlers missing in our dagster.yaml, Dagster would reconfigure Python's logging whenever a run starts,
        # which can deadlock with a run that logs in another thread at that moment.
        instance.get_yaml_python_handlers = list  # type: ignore[method-assign]
        yield instance


def code_server(environment: Mapping[str, str], port: int, host: str = _HERE) -> ProcessSpec:
    """The process that imports our code and starts runs.

    One that whoever looks after it sees end: `dagster code-server start` is a proxy that stays when the process behind
    it is killed, or ends itself because the clock was set forward, as when a laptop wakes (1.13.29).
    """
    command = ("dagster", "api", "grpc", "-h", host, "-p", str(port), "-m", CODE_MODULE)
    return _process("code server", (*command, "--location-name", LOCATION_NAME, *_QUIET), environment, port)


def webserver(
    environment: Mapping[str, str], port: int, code_server_port: int, host: str = _HERE, code_server_host: str = _HERE
) -> ProcessSpec:
    """The process that serves the UI."""
    command = ("openfaith_pipeline.defs.webserver", "--host", host, "--port", str(port))
    return _process(
        "webserver",
        (*command, "--workspace", _workspace(environment)),
        environment,
        port,
        (code_server_host, code_server_port),
    )


def daemon(environment: Mapping[str, str], code_server_port: int, code_server_host: str = _HERE) -> ProcessSpec:
    """The process that queues, watches and retries runs and evaluates sensors.

    Not started in our directory: Dagster's own commands put a `.env` there over the environment (1.13.29).
    """
    command = ("dagster._daemon", "run", "-w", _workspace(environment))
    spec = _process("daemon", (*command, *_QUIET), environment, None, (code_server_host, code_server_port))
    return replace(spec, directory=Path(environment["DAGSTER_HOME"]))


def _process(
    name: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    port: int | None,
    code_server_at: tuple[str, int] | None = None,
) -> ProcessSpec:
    host, number = code_server_at or (_HERE, port)
    reached_at = {
        "OPENFAITH_CODE_SERVER_HOST": host,
        "OPENFAITH_CODE_SERVER_PORT": str(number),
        # Otherwise gRPC takes part in forks, and occasionally crashes a program that is started at the time.
        "GRPC_ENABLE_FORK_SUPPORT": "0",
    }
    return ProcessSpec(name, (sys.executable, "-m", *arguments), environment_with(**environment, **reached_at), port)


def _workspace(environment: Mapping[str, str]) -> str:
    return str(Path(environment["DAGSTER_HOME"]) / "workspace.yaml")


def _given(settings: Settings) -> str | None:
    """The text of OPENFAITH_DAGSTER_CONFIG, which is taken as it is."""
    if settings.dagster_config is None:
        return None
    try:
        return settings.dagster_config.read_text()
    except OSError as error:
        raise ConfigurationError(
            f"OPENFAITH_DAGSTER_CONFIG {settings.dagster_config} cannot be read: {error.strerror}"
        ) from error


def _with_broker(text: str, settings: Settings) -> str:
    """The shipped file, with the Celery launcher if a broker is configured."""
    return text.replace(_LOCAL_LAUNCHER, _CELERY_LAUNCHER) if settings.celery_broker else text


def _write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
