"""The embedded Postgres from its users' view: started for the first, shared by all, stopped after the last.

Starting and stopping happen under one lock. Each user holds a locked file of its own, which the kernel releases when
the user dies, so a killed user no longer counts and needs no cleaning up.
"""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote
from uuid import uuid4

import psycopg

from openfaith_pipeline.database.cluster import Cluster, ServerFiles, open_cluster
from openfaith_pipeline.database.locks import is_locked, locked, take_lock
from openfaith_pipeline.database.owner import ADMINISTRATOR, OWNER, hand_over
from openfaith_pipeline.database.postmaster import (
    find_postmaster,
    log_tail,
    start_postmaster,
    stop_postmaster,
)
from openfaith_pipeline.database.session import ENCODING, forget_libpq_variables
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable, NoHome, UsageError
from openfaith_pipeline.home import where_looked
from openfaith_pipeline.settings import Settings

DATABASE_NAME: Final = "openfaith"
READY_SECONDS: Final = 60
_SILENT_SECONDS: Final = 2
_PUZZLED_SECONDS: Final = 5
_RECOVERING: Final = ("starting up", "in recovery", "not yet accepting connections", "shutting down")
_PASSING: Final = (*_RECOVERING, "refused", "No such file", "closed the connection", "timeout", "too many", "reset by")
_TURN_SECONDS: Final = 300  # longer than any start or stop under the lock takes
_STARTS: Final = 3

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerUser:
    """A process that uses the embedded server; `program`: its command."""

    pid: int
    program: str


@dataclass(frozen=True)
class RunningServer:
    """A server that accepts connections."""

    port: int
    pid: int
    password: str = field(repr=False)

    def url(self, name: str = DATABASE_NAME) -> str:
        """libpq URL of a database for its owner, with the password."""
        return self._url(OWNER, name)

    def administrator_url(self, name: str = "postgres") -> str:
        """libpq URL for the superuser that made the cluster."""
        return self._url(ADMINISTRATOR, name)

    def _url(self, user: str, name: str) -> str:
        return f"postgresql://{user}:{quote(self.password)}@127.0.0.1:{self.port}/{name}?sslmode=disable"


@dataclass(frozen=True)
class ServerState:
    """State of the server, read without starting it; `port` is its last one, None if it never ran."""

    is_running: bool
    is_pinned: bool
    port: int | None
    users: tuple[ServerUser, ...]


def has_home(settings: Settings) -> bool:
    """Whether the embedded database of these settings exists."""
    return ServerFiles(settings.home).has_cluster


def require_home(settings: Settings) -> None:
    """Raise NoHome, which says where it was looked for, if there is no embedded database."""
    if not has_home(settings):
        looked = where_looked(settings.home, is_given="home" in settings.model_fields_set)
        raise NoHome(
            f"there is no home here: {looked}. Go to where yours was created, or point OPENFAITH_HOME at it;"
            " `openfaith-pipeline demo` and `openfaith-pipeline org add` create a new one"
        )


@contextmanager
def use_server(settings: Settings) -> Iterator[RunningServer]:
    """Keep the server running during the block; the last user stops it unless it is pinned."""
    forget_libpq_variables(settings)
    files = ServerFiles(settings.home)
    with _turn(files):
        server = _ensure_running(files, settings)
        mark = _enter(files)
    try:
        yield server
    finally:
        os.close(mark)
        try:
            with _turn(files):
                _stop_if_unused(files, settings)
        except (DatabaseUnavailable, UsageError) as error:
            logger.warning("the embedded Postgres could not be stopped and is still running: %s", error)


def pin_server(settings: Settings) -> RunningServer:
    """Start the server and keep it running, even without users, until `stop_server`."""
    forget_libpq_variables(settings)
    files = ServerFiles(settings.home)
    with _turn(files):
        server = _ensure_running(files, settings)
        files.pinned.touch()
        return server


def stop_server(settings: Settings) -> list[ServerUser]:
    """Stop the server and remove the pin; returns the users whose connections were cut."""
    files = ServerFiles(settings.home)
    with _turn(files):
        files.pinned.unlink(missing_ok=True)
        if is_locked(files.server_lock):
            stop_postmaster(open_cluster(files, settings), files)
        return _users(files)


def stop_unused_server(settings: Settings) -> None:
    """Stop a server whose users were all killed before they could stop it."""
    files = ServerFiles(settings.home)
    with _turn(files):
        _stop_if_unused(files, settings)


def running_server(settings: Settings) -> RunningServer | None:
    """The server, if it runs already; starts nothing and does not wait for the start lock."""
    files = ServerFiles(settings.home)
    if not is_locked(files.server_lock):
        return None
    state = files.read_state()
    return RunningServer(state["port"], state.get("pid", 0), files.password.read_text()) if "port" in state else None


def inspect_server(settings: Settings) -> ServerState:
    """Whether the server runs, and its users; starts nothing."""
    files = ServerFiles(settings.home)
    with _turn(files):
        return ServerState(
            is_locked(files.server_lock), files.pinned.exists(), files.read_state().get("port"), tuple(_users(files))
        )


@contextmanager
def _turn(files: ServerFiles) -> Iterator[None]:
    """Hold the start lock; errors of the file system become a ConfigurationError with the remedy."""
    try:
        files.make_directories()
        with locked(files.start_lock, seconds=_TURN_SECONDS):
            yield
    except TimeoutError:
        raise DatabaseUnavailable(f"another process has held {files.start_lock} for {_TURN_SECONDS} s") from None
    except OSError as error:
        raise ConfigurationError(
            f"OPENFAITH_HOME {files.home} cannot be used: {error.strerror or error} ({error.filename or files.home});"
            " point OPENFAITH_HOME at a directory on a local disk that this user may write"
        ) from error


def _ensure_running(files: ServerFiles, settings: Settings) -> RunningServer:
    cluster = open_cluster(files, settings)
    for _ in range(_STARTS):
        postmaster = find_postmaster(cluster, files) or start_postmaster(cluster, files)
        server = RunningServer(postmaster.port, postmaster.pid, files.password.read_text())
        if _becomes_ready(server, cluster, files):
            return server
    raise ConfigurationError(f"Postgres stops again right after starting ({files.log}): {log_tail(files)}")


def _stop_if_unused(files: ServerFiles, settings: Settings) -> None:
    is_used = bool(_users(files)) or files.pinned.exists()
    if not is_used and is_locked(files.server_lock):
        stop_postmaster(open_cluster(files, settings), files)


def _becomes_ready(server: RunningServer, cluster: Cluster, files: ServerFiles) -> bool:
    """Wait until the server accepts connections; False if it died since it was found or started."""
    began_at = time.monotonic()
    is_told = False
    while is_locked(files.server_lock):
        reason = _refusal(server)
        if reason is None:
            return True
        if "password authentication failed" in reason:
            raise ConfigurationError(
                f"{files.password} is not the password of the data beside it: restore the right one,"
                f" or move {files.directory} away to start with an empty database"
            )
        waited = time.monotonic() - began_at
        is_passing = any(sign in reason for sign in _PASSING)
        if waited > (READY_SECONDS if is_passing else _PUZZLED_SECONDS):
            raise DatabaseUnavailable(_still_not_ready(reason, waited, cluster, files))
        if waited > _SILENT_SECONDS and not is_told and any(sign in reason for sign in _RECOVERING):
            is_told = True
            logger.warning("Postgres is recovering from an unclean stop; this may take a minute")
        time.sleep(0.02)
    return False


def _still_not_ready(reason: str, waited: float, cluster: Cluster, files: ServerFiles) -> str:
    if any(sign in reason for sign in _RECOVERING):
        return f"Postgres has been recovering {cluster.data} for {waited:.0f} s so far; try again later ({files.log})"
    return f"the embedded Postgres in {cluster.data} refuses connections: {' '.join(reason.split())} ({files.log})"


def _refusal(server: RunningServer) -> str | None:
    """Why the server's database cannot be used yet, None if it can. Creates the database in a new cluster."""
    url = server.administrator_url(DATABASE_NAME)
    try:
        with psycopg.connect(url, connect_timeout=5, client_encoding=ENCODING, autocommit=True) as connection:
            hand_over(connection, server.password)
    except psycopg.OperationalError as error:
        if f'database "{DATABASE_NAME}" does not exist' in str(error):
            return _create_database(server)
        return str(error)
    return None


def _create_database(server: RunningServer) -> str | None:
    try:
        with psycopg.connect(server.administrator_url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE_NAME}")
    except psycopg.OperationalError as error:
        return str(error)
    return _refusal(server)


def _enter(files: ServerFiles) -> int:
    """Register as a user of the server for as long as the returned descriptor is open."""
    mark = files.users / f"{os.getpid()}-{uuid4().hex[:8]}"
    descriptor = take_lock(mark)
    if descriptor is None:
        raise DatabaseUnavailable(f"{mark} is locked by another process")
    os.write(descriptor, Path(sys.argv[0]).name.encode())
    return descriptor


def _users(files: ServerFiles) -> list[ServerUser]:
    """The live processes that use the server; removes the marks of dead ones."""
    living = []
    for mark in sorted(files.users.iterdir()):
        if is_locked(mark):
            living.append(ServerUser(int(mark.name.split("-")[0]), mark.read_text()))
        else:
            mark.unlink(missing_ok=True)
    return living
