"""A real Postgres, started once for each pytest process, and a fresh database in it for each test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
from psycopg import sql

from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.database.owner import ADMINISTRATOR, OWNER
from openfaith_pipeline.database.server import DATABASE_NAME, RunningServer, use_server
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.settings_places import CONFIG_FILE, ENV_FILE, NONE, SECRETS_DIR
from openfaith_pipeline.simulator import server
from openfaith_pipeline_tests.forking import fork_simulator
from openfaith_pipeline_tests.heeded import heed_parameters
from openfaith_pipeline_tests.planted import ENCRYPTION_KEY, Watch, leaks_of_database, leaks_of_files

# On a busy machine any example may exceed hypothesis' deadline of 200 ms; pytest-timeout ends a hanging test.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

HERE = Path(__file__).parent
SHARED = ("acceptance/dagster", "acceptance/deploy", "integration/service", "integration/views")
"""Folders whose tests share what takes long to start."""


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have one pytest process run the tests of a file, or of a folder that shares more: each would set it up anew."""
    for item in items:
        if not any(item.iter_markers("xdist_group")):
            place = item.path.relative_to(HERE)
            folder = place.parent.as_posix()
            item.add_marker(pytest.mark.xdist_group(folder if folder in SHARED else place.as_posix()))


@pytest.fixture(scope="session")
def watch() -> Watch:
    """Hears every log line and span of this process."""
    watch = Watch()
    watch.begin()
    return watch


@pytest.fixture(autouse=True)
def _nothing_planted_is_told(watch: Watch) -> Iterator[None]:
    """No test may have a secret or anybody's personal data logged or traced, whatever else it is about."""
    watch.take()
    yield
    assert watch.take() == []


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    """The developer's own settings must not reach the tests, least of all DB_*, from whatever file."""
    with pytest.MonkeyPatch.context() as patch:
        for field in Settings.model_fields.values():
            patch.delenv(str(field.validation_alias), raising=False)
        for variable in (ENV_FILE, CONFIG_FILE, SECRETS_DIR):
            patch.setenv(variable, NONE)
        yield


@pytest.fixture(scope="session", autouse=True)
def _simulators_are_forked() -> Iterator[None]:
    """There are hundreds of simulators, and each new process would spend a second on imports."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "_start_child", fork_simulator)
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_parameter_is_ignored() -> Iterator[None]:
    """No test may have the pipeline send a parameter that Planning Center ignores, whatever else it is about."""
    with pytest.MonkeyPatch.context() as patch:
        heed_parameters(patch)
        yield


@pytest.fixture(scope="session")
def open_directory() -> Iterator[Path]:
    """A directory that every user may pass through, as pytest's own is not: root's Postgres runs as another user.

    In memory where there is room: making a database takes 10 ms there and 200 ms on a disk.
    """
    memory = Path("/dev/shm")  # noqa: S108
    has_room = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4_000_000_000
    directory = Path(tempfile.mkdtemp(prefix="openfaith-tests-", dir=memory if has_room else None))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def postgres(open_directory: Path) -> Iterator[RunningServer]:
    """The embedded server of this pytest process (each xdist worker has its own), its main database migrated."""
    settings = Settings(home=open_directory / "home")
    with use_server(settings) as server:
        with psycopg.connect(server.administrator_url(), autocommit=True) as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
            connection.execute("SELECT pg_reload_conf()")
            _let_in_at_once(connection, server.password)
        with open_database(settings):
            yield server


def _let_in_at_once(connection: psycopg.Connection[Any], password: str) -> None:
    """Hash the password once instead of 4,096 times, which is half of what a connection costs."""
    connection.execute("SET scram_iterations = 1")
    for role in (ADMINISTRATOR, OWNER):
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
        connection.execute(statement)


def _create(connection: psycopg.Connection[Any], name: str, template: str) -> None:
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy OWNER {}")
    connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template), sql.Identifier(OWNER)))


def settings_named(postgres: RunningServer, name: str, home: Path) -> Settings:
    """Settings of a database of this name, as DB_* would make them, with an encryption key."""
    return Settings(
        home=home,
        db_host="127.0.0.1",
        db_port=postgres.port,
        db_name=name,
        db_username=OWNER,
        db_password=postgres.password,
        encryption_keys=ENCRYPTION_KEY,
    )


@pytest.fixture(scope="session")
def template(postgres: RunningServer) -> str:  # noqa: ARG001 - which migrates it
    """Name of the database that each test's own is a copy of."""
    return DATABASE_NAME


@pytest.fixture(scope="session")
def with_dagster(postgres: RunningServer, open_directory: Path) -> str:
    """A migrated database in which Dagster has made its tables: it takes half a second to make them."""
    from openfaith_pipeline.defs.storage import OpenFaithStorage  # noqa: PLC0415 - most tests need no Dagster

    name = "with_dagster"
    with psycopg.connect(postgres.administrator_url(), autocommit=True) as connection:
        _create(connection, name, DATABASE_NAME)
    settings = settings_named(postgres, name, open_directory / "home")
    url = database_at(settings, configured_url(settings)).dagster_url
    OpenFaithStorage.from_config_value(None, {"postgres_url": url}).run_storage._engine.dispose()
    return name


@contextmanager
def fresh_database(postgres: RunningServer, name: str, home: Path, template: str = DATABASE_NAME) -> Iterator[Settings]:
    """Settings that name a fresh, migrated database, as DB_* would, with an encryption key; dropped afterwards."""
    with psycopg.connect(postgres.administrator_url(), autocommit=True) as connection:
        _create(connection, name, template)
        yield settings_named(postgres, name, home)
        with psycopg.connect(postgres.administrator_url(name)) as used:
            leaks = [*leaks_of_database(used), *leaks_of_files(home)]
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        assert leaks == [], "secrets or personal data were told"


@contextmanager
def database_to_copy(postgres: RunningServer, name: str, home: Path) -> Iterator[Database]:
    """A fresh database to be filled once for several tests, whose `template` gives its name: theirs are copies of it.

    Nobody may be connected to it while they are made.
    """
    with fresh_database(postgres, name, home) as settings:
        yield database_at(settings, configured_url(settings))


@pytest.fixture
def settings(
    postgres: RunningServer, template: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Settings]:
    """Settings that name a fresh, migrated database of this test alone, as DB_* would; dropped afterwards.

    `home` is the test's own empty directory, and there is an encryption key.
    """
    name = f"test_{abs(hash(request.node.nodeid)):x}"
    with fresh_database(postgres, name, tmp_path / "home", template) as settings:
        yield settings


@pytest.fixture
def database(settings: Settings) -> Database:
    """The handle of the test's own database (see `settings`): `database.connect()`, `.pool(size=...)`, `.url`."""
    return database_at(settings, configured_url(settings))


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    """Variables that make another process use the test's own database; put them into `environment_with`."""
    return environment_of(settings)


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment variables for the home, database and key of `settings`."""
    return {
        "OPENFAITH_HOME": str(settings.home),
        "DB_HOST_PRIMARY": str(settings.db_host),
        "DB_PORT": str(settings.db_port),
        "DB_NAME": str(settings.db_name),
        "DB_USERNAME": str(settings.db_username),
        "DB_PASSWORD": settings.db_password.get_secret_value() if settings.db_password else "",
        "OPENFAITH_ENCRYPTION_KEYS": ENCRYPTION_KEY,
    }
