"""The server process: start, detection and stop.

The server and every process it forks hold the lock of `server.lock`, which they inherit. So a free lock proves that
none of them is left, whatever `postmaster.pid` says: no zombie, reused pid or other container can mislead.
"""

import logging
import os
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from openfaith_pipeline.database.cluster import Cluster, ServerFiles
from openfaith_pipeline.database.locks import is_locked, take_lock
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable

_POLL_SECONDS: Final = 0.02
_LONGEST_LOG: Final = 10_000_000  # bytes; the previous log is kept as postgres.log.1

_OPTIONS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    # With Postgres' own 4 MB, a large publish waits for buffer space thousands of times.
    "wal_buffers": "32MB",
    "jit": "off",
    # Workers share memory through /dev/shm, which containers limit to 64 MB.
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # Statements and error details contain personal data; the client receives its errors anyway.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Postmaster:
    """A living server process."""

    pid: int
    port: int


def find_postmaster(cluster: Cluster, files: ServerFiles) -> Postmaster | None:
    """The home's living server, or None. Ends processes that outlived a killed server."""
    deadline = time.monotonic() + 20
    while is_locked(files.server_lock):
        recorded = _read_pid_file(cluster)
        if recorded and _is_postmaster(recorded.pid, cluster):
            return recorded
        # The postmaster is dead and its backends still write; it would have ended them like this itself.
        signal_processes(cluster, signal.SIGQUIT)
        if time.monotonic() > deadline:
            raise DatabaseUnavailable(
                f"processes of an earlier server still use {cluster.data}; if it is served from another container"
                " or with another process namespace, stop it there"
            )
        time.sleep(_POLL_SECONDS)
    return None


def start_postmaster(cluster: Cluster, files: ServerFiles) -> Postmaster:
    """Start the server on its last port, or on another if that is taken. It may still be recovering afterwards.

    Call only under the start lock, after `find_postmaster` returned None.
    """
    (cluster.data / "postmaster.pid").unlink(missing_ok=True)
    _rotate(files.log)
    port = files.read_state().get("port") or 0
    for _ in range(5):
        port = _free_port(port)
        postmaster = _spawn(cluster, files, port)
        if _keeps_running(cluster, files, postmaster):
            files.write_state(port=port, pid=postmaster.pid)
            return postmaster
        if "could not create any TCP/IP sockets" not in log_tail(files):
            break
        port = 0
    raise ConfigurationError(f"Postgres does not start ({files.log}): {log_tail(files)}")


def stop_postmaster(cluster: Cluster, files: ServerFiles) -> None:
    """Stop the server: a fast shutdown, which needs no recovery, or an immediate one if that does not finish."""
    postmaster = find_postmaster(cluster, files)
    if postmaster is None:
        return
    with suppress(ProcessLookupError):
        os.kill(postmaster.pid, signal.SIGINT)
    if not _is_gone_within(30, files):
        logger.warning("Postgres does not shut down; stopping it immediately, it will recover at its next start")
        signal_processes(cluster, signal.SIGQUIT)
        if not _is_gone_within(15, files):
            raise DatabaseUnavailable(f"Postgres on {cluster.data} did not stop: stop its process {postmaster.pid}")


def signal_processes(cluster: Cluster, number: int) -> None:
    """Send a signal to each process of the cluster's server, found by the cluster's name in its title."""
    for process in psutil.process_iter(["cmdline"]):
        arguments = process.info["cmdline"] or ()
        if f"cluster_name={cluster.name}" in arguments or " ".join(arguments).startswith(f"postgres: {cluster.name}:"):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


def log_tail(files: ServerFiles) -> str:
    """The last lines of the server's log, joined into one."""
    return " ".join(files.log.read_text(errors="replace").split())[-500:]


def _spawn(cluster: Cluster, files: ServerFiles, port: int) -> Postmaster:
    options = {**_OPTIONS, "port": str(port), "cluster_name": cluster.name}
    command = [str(cluster.binaries / "postgres"), "-D", str(cluster.data)]
    command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    lock = take_lock(files.server_lock)
    if lock is None:
        raise DatabaseUnavailable(f"another server has just been started on {cluster.data}")
    log = os.open(files.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            command,
            cwd="/",
            env={"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=0o077,
            pass_fds=(lock,),
            **(cluster.account.popen_options if cluster.account else {}),
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigurationError(f"{command[0]} does not start: {error}") from error
    finally:
        os.close(log)
        os.close(lock)
    # Reaps the server if it dies before us, so that it leaves no zombie.
    threading.Thread(target=process.wait, name="postgres-reaper", daemon=True).start()
    return Postmaster(process.pid, port)


def _keeps_running(cluster: Cluster, files: ServerFiles, postmaster: Postmaster) -> bool:
    """Wait until the server has bound its port or exited."""
    deadline = time.monotonic() + 60
    while is_locked(files.server_lock) and time.monotonic() < deadline:
        if _read_pid_file(cluster) == postmaster:
            return True
        time.sleep(_POLL_SECONDS)
    return False


def _read_pid_file(cluster: Cluster) -> Postmaster | None:
    """Parse `postmaster.pid`: the pid on line 1, the port on line 4 and, once it listens, more below."""
    try:
        lines = (cluster.data / "postmaster.pid").read_text().splitlines()
        return Postmaster(int(lines[0]), int(lines[3])) if len(lines) >= 6 else None
    except (FileNotFoundError, ValueError):
        return None


def _is_postmaster(pid: int, cluster: Cluster) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and str(cluster.data) in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def _is_gone_within(seconds: float, files: ServerFiles) -> bool:
    deadline = time.monotonic() + seconds
    while is_locked(files.server_lock):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _free_port(wanted: int) -> int:
    """The wanted loopback port if it is free, otherwise another free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return _free_port(0) if wanted else _no_port()
        return int(probe.getsockname()[1])


def _no_port() -> int:
    raise ConfigurationError("no port on 127.0.0.1 is available")


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LONGEST_LOG:
        log.replace(log.with_name(f"{log.name}.1"))
