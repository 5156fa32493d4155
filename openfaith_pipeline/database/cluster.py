"""Files of the embedded server, and the creation of a new cluster.

OPENFAITH_HOME/postgres/
    data/            the cluster; below /var/lib/openfaith-pipeline when root's home is closed to the server's user
    server.json      the cluster's location and port
    password         of the database's owner, and of the role that made the cluster
    postgres.log     the server's log; no statements and no values
    start.lock       held while the server is started or stopped
    server.lock      held by the server itself and every process of it, as long as one lives
    users/           one locked file for each process that uses the server
    pinned           exists while the server is meant to outlive its users
"""

import hashlib
import json
import logging
import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openfaith_pipeline.database.account import Account, can_reach, server_account
from openfaith_pipeline.database.binaries import OUTSIDE_HOME, find_binaries, major_version
from openfaith_pipeline.database.owner import ADMINISTRATOR
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerFiles:
    """Paths below one OPENFAITH_HOME."""

    home: Path

    @property
    def directory(self) -> Path:
        return self.home / "postgres"

    @property
    def state(self) -> Path:
        return self.directory / "server.json"

    @property
    def password(self) -> Path:
        return self.directory / "password"

    @property
    def log(self) -> Path:
        return self.directory / "postgres.log"

    @property
    def start_lock(self) -> Path:
        return self.directory / "start.lock"

    @property
    def server_lock(self) -> Path:
        return self.directory / "server.lock"

    @property
    def users(self) -> Path:
        return self.directory / "users"

    @property
    def pinned(self) -> Path:
        return self.directory / "pinned"

    @property
    def has_cluster(self) -> bool:
        """Whether a cluster was ever made here; also True if that cannot be seen: opening it reports that."""
        try:
            return self.state.exists() or (self.directory / "data").exists()
        except PermissionError:
            return True

    def make_directories(self) -> None:
        """Create missing directories; only those get modes that let the server's user pass through."""
        for directory, mode in ((self.home, 0o755), (self.directory, 0o755), (self.users, 0o700)):
            if not directory.exists():
                directory.mkdir(parents=True, exist_ok=True)
                directory.chmod(mode)

    def read_state(self) -> dict[str, Any]:
        try:
            state = json.loads(self.state.read_text())
        except FileNotFoundError:
            return {}
        except ValueError:
            raise ConfigurationError(f"{self.state} is damaged; delete it, and it will be written again") from None
        return dict(state)

    def write_state(self, **values: Any) -> None:
        write_privately(self.state, json.dumps({**self.read_state(), **values}))


@dataclass(frozen=True)
class Cluster:
    """A cluster that exists and can be started."""

    data: Path
    binaries: Path
    account: Account | None

    @property
    def name(self) -> str:
        """Shown in the process titles of the server, which distinguishes its orphans from other servers' processes."""
        return f"openfaith-{_short_hash(self.data)}"


def open_cluster(files: ServerFiles, settings: Settings) -> Cluster:
    """Find the home's cluster, or create it. The caller must hold the start lock."""
    data = _place_of_data(files, settings)
    account = server_account(settings.postgres_user, data.stat().st_uid if data.exists() else None)
    cluster = Cluster(data, find_binaries(settings, account), account)
    if data.exists():
        _check_existing(cluster, files)
    else:
        _make(cluster, files)
    return cluster


def write_privately(path: Path, content: str) -> None:
    """Replace a file atomically and durably, readable only by us."""
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _place_of_data(files: ServerFiles, settings: Settings) -> Path:
    recorded = files.read_state().get("data")
    if recorded is not None:
        if not Path(recorded).exists():
            raise ConfigurationError(
                f"{files.state} says that the data is in {recorded}, which is gone: restore it,"
                f" or delete {files.state} to start with an empty database"
            )
        return Path(recorded)
    data = files.directory / "data"
    account = server_account(settings.postgres_user, data.stat().st_uid if data.exists() else None)
    return data if can_reach(data, account) else _place_outside(files, data)


def _place_outside(files: ServerFiles, data: Path) -> Path:
    if data.exists():
        raise ConfigurationError(
            f"{data} is closed to the user Postgres runs as; move OPENFAITH_HOME to a directory that user can reach"
        )
    outside = OUTSIDE_HOME / _short_hash(files.home.resolve()) / "data"
    logger.info("keeping the database in %s: %s is closed to the user Postgres runs as", outside, files.home)
    outside.parent.mkdir(parents=True, exist_ok=True)
    for directory in (OUTSIDE_HOME, outside.parent):
        directory.chmod(0o755)
    return outside


def _check_existing(cluster: Cluster, files: ServerFiles) -> None:
    made_by = int((cluster.data / "PG_VERSION").read_text())
    found = major_version(cluster.binaries, cluster.account)
    if made_by != found:
        raise ConfigurationError(
            f"the data in {cluster.data} was made by PostgreSQL {made_by} but {cluster.binaries} is {found}:"
            f" point OPENFAITH_POSTGRES_BIN at the bin directory of a PostgreSQL {made_by}"
        )
    if not files.password.exists():
        raise ConfigurationError(
            f"{files.password} is missing and the data in {cluster.data} opens only with it: restore it,"
            f" or move {files.directory} away to start with an empty database"
        )


def _make(cluster: Cluster, files: ServerFiles) -> None:
    """Create the cluster in a temporary directory and move it into place once complete, in case we are killed."""
    unfinished = cluster.data.with_name("data.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    password = secrets.token_urlsafe(24)
    write_privately(files.password, password)
    password_file = cluster.data.with_name("initdb.password")
    write_privately(password_file, password)
    if cluster.account:
        for path in (unfinished, password_file):
            os.chown(path, cluster.account.uid, cluster.account.gid)
    try:
        _run_initdb(cluster, unfinished, password_file)
    except ConfigurationError:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    finally:
        password_file.unlink()
    if not cluster.data.is_relative_to(files.directory):
        files.write_state(data=str(cluster.data))
    unfinished.rename(cluster.data)


def _run_initdb(cluster: Cluster, directory: Path, password_file: Path) -> None:
    command = [str(cluster.binaries / "initdb"), "--pgdata", str(directory), "--username", ADMINISTRATOR]
    command += ["--auth=scram-sha-256", "--pwfile", str(password_file), "--encoding=UTF8", "--locale=C"]
    command += ["--data-checksums", "--no-instructions"]
    options = cluster.account.popen_options if cluster.account else {}
    try:
        subprocess.run(
            command, cwd="/", env={"LC_ALL": "C"}, capture_output=True, text=True, check=True, timeout=300, **options
        )
    except subprocess.CalledProcessError as error:
        reason = " ".join(error.stderr.split())[-400:]
        raise ConfigurationError(f"no database could be created in {directory}: {reason}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(f"no database could be created in {directory}: {error}") from None


def _short_hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
