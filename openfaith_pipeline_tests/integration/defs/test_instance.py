"""The instance that our dagster.yaml describes, on a real database."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance import InstanceRef
from dagster._core.launcher import WorkerStatus
from sqlalchemy import event

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.heartbeat import beating
from openfaith_pipeline.defs.instance import prepare_dagster_home
from openfaith_pipeline.defs.launcher import LeaseRunLauncher
from openfaith_pipeline.defs.live_runs import find_live_run
from openfaith_pipeline.defs.partitions import align_partitions
from openfaith_pipeline.defs.run_tags import PARTITION_TAG
from openfaith_pipeline.defs.storage import OpenFaithStorage
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.load.run_leases import silence_of
from openfaith_pipeline_tests.waiting import wait_until


def health_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> WorkerStatus:
    return instance.run_launcher.check_run_worker_health(run).status


@pytest.fixture
def run(instance: dg.DagsterInstance) -> dg.DagsterRun:
    """A run that has started."""
    run = instance.create_run_for_job(dg.job(name="any")(lambda: None))
    instance.report_dagster_event(dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name), run.run_id)
    return run


def test_runs_and_events_are_in_our_database(instance: dg.DagsterInstance, database: Database) -> None:
    run = instance.create_run_for_job(dg.job(name="any")(lambda: None))
    with database.connect() as connection:
        assert connection.execute("SELECT run_id FROM dagster.runs").fetchall() == [(run.run_id,)]


def test_many_that_find_dagsters_tables_missing_at_once_all_get_them(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("DROP SCHEMA dagster CASCADE; CREATE SCHEMA dagster")
        connection.commit()
    with ThreadPoolExecutor(12) as pool:
        config = {"postgres_url": database.dagster_url}
        made = pool.map(lambda _: OpenFaithStorage.from_config_value(None, config), range(12))
        assert [storage.run_storage.get_runs_count() for storage in made] == [0] * 12


def connects(storage: OpenFaithStorage) -> list[int]:
    """Grows by each new connection of the storage."""
    made: list[int] = []
    event.listen(storage.run_storage._engine, "connect", lambda connection, _: made.append(connection.fileno()))
    return made


@pytest.fixture
def storage(database: Database) -> OpenFaithStorage:
    return OpenFaithStorage.from_config_value(None, {"postgres_url": database.dagster_url})


def test_a_connection_that_the_server_has_closed_is_replaced(storage: OpenFaithStorage, database: Database) -> None:
    assert storage.run_storage.get_runs_count() == 0
    with database.connect(autocommit=True) as connection:
        others = (
            "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        connection.execute(f"SELECT pg_terminate_backend(pid) {others}")
        wait_until(lambda: connection.execute(f"SELECT {others}").rowcount == 0, "all others are gone")
    assert storage.run_storage.get_runs_count() == 0


def test_a_connection_is_kept_and_not_tested_before_a_statement(
    storage: OpenFaithStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = connects(storage)
    pinged: list[object] = []
    monkeypatch.setattr(type(storage.run_storage._engine.dialect), "do_ping", lambda *told: pinged.append(told) or True)
    for _ in range(3):
        assert storage.run_storage.get_runs_count() == 0
    assert (len(made), pinged) == (1, [])


def test_a_connection_that_was_idle_for_long_is_replaced(
    storage: OpenFaithStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = connects(storage)
    assert storage.run_storage.get_runs_count() == 0
    monkeypatch.setattr("openfaith_pipeline.defs.storage._LONG_IDLE_SECONDS", 0)
    assert storage.run_storage.get_runs_count() == 0
    assert len(made) == 2


def test_an_instance_leaves_no_connection_behind(instance: dg.DagsterInstance, database: Database) -> None:
    reference = InstanceRef.from_dir(str(database.settings.dagster_home))
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    kept = []
    with database.connect(autocommit=True) as connection:
        assert instance.get_runs_count() == 0
        [before] = connection.execute(others).fetchone()
        for _ in range(3):
            with dg.DagsterInstance.from_ref(reference) as other:
                assert other.get_runs_count() == 0
                kept.append(other)  # as what waits for garbage collection
        wait_until(lambda: connection.execute(others).fetchone() == (before,), "its connections are closed")


def test_a_table_that_was_found_is_looked_for_no_more_and_a_missing_one_is(storage: OpenFaithStorage) -> None:
    log, made = storage.event_log_storage, connects(storage)
    statements: list[str] = []
    event.listen(log._engine, "before_cursor_execute", lambda _, _cursor, sql, *_rest: statements.append(sql))
    assert [log.has_table("dynamic_partitions") for _ in range(3)] == [True] * 3
    assert (len(made), len(statements)) == (1, 1)
    assert [log.has_table("not_there") for _ in range(2)] == [False] * 2
    assert len(statements) == 3


def test_a_process_that_is_given_no_url_finds_the_database_by_our_settings(
    instance: dg.DagsterInstance, database: Database
) -> None:
    run = instance.create_run_for_job(dg.job(name="any")(lambda: None))
    home = str(database.settings.dagster_home)
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(home)) as other:
        assert [found.run_id for found in other.get_runs()] == [run.run_id]


def test_the_variables_for_processes_name_home_and_storage(database: Database) -> None:
    environment = prepare_dagster_home(database.settings, database)
    assert environment["OPENFAITH_DAGSTER_PG_URL"] == database.dagster_url
    home = Path(environment["DAGSTER_HOME"])
    assert (home / "dagster.yaml").exists()
    assert (home / "workspace.yaml").exists()


def test_a_configuration_of_your_own_is_taken_as_it_is(database: Database, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    settings = database.settings.model_copy(update={"dagster_config": own, "dagster_home_override": tmp_path / "home"})
    with pytest.raises(ConfigurationError, match=r"own\.yaml cannot be read"):
        prepare_dagster_home(settings, database)
    own.write_text("telemetry: { enabled: false }")
    prepare_dagster_home(settings, database)
    assert (tmp_path / "home" / "dagster.yaml").read_text() == own.read_text()


def test_a_home_that_cannot_be_written_is_named(database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = database.settings.model_copy(update={"dagster_home_override": tmp_path / "file" / "home"})
    with pytest.raises(ConfigurationError, match="file/home"):
        prepare_dagster_home(settings, database)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds after which a second look settles a doubt."""
    monkeypatch.setattr("openfaith_pipeline.defs.worker_health.LOOK_AGAIN", timedelta(seconds=0.2))
    return 0.3


def fall_silent(database: Database, seconds: int = 9) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE sync.run_leases SET beat_at = beat_at - %s", (timedelta(seconds=seconds),))


def test_a_run_that_beats_is_healthy_and_one_that_stopped_is_not(
    instance: dg.DagsterInstance, run: dg.DagsterRun, database: Database, soon: float
) -> None:
    assert isinstance(instance.run_launcher, LeaseRunLauncher)
    with beating(database, run.run_id):
        assert health_of(instance, run) is WorkerStatus.RUNNING
    fall_silent(database)
    assert health_of(instance, run) is WorkerStatus.RUNNING
    assert health_of(instance, run) is WorkerStatus.RUNNING, "a look at once is no second look"
    time.sleep(soon)
    assert health_of(instance, run) is WorkerStatus.FAILED


def test_a_run_that_slept_with_its_machine_is_healthy(
    instance: dg.DagsterInstance, run: dg.DagsterRun, database: Database, soon: float
) -> None:
    with beating(database, run.run_id):
        pass
    for _ in range(2):
        fall_silent(database, 12 * 3600)
        assert health_of(instance, run) is WorkerStatus.RUNNING, "it may not have beaten yet"
        time.sleep(soon)
        with beating(database, run.run_id):
            pass
        assert health_of(instance, run) is WorkerStatus.RUNNING
    fall_silent(database)
    assert health_of(instance, run) is WorkerStatus.RUNNING
    with beating(database, run.run_id):
        pass
    fall_silent(database)
    time.sleep(soon)
    assert health_of(instance, run) is WorkerStatus.RUNNING, "it was silent twice, with a beat between"


@pytest.mark.usefixtures("soon")
def test_a_dead_run_is_found_in_one_call_by_those_who_want_its_org(
    instance: dg.DagsterInstance, database: Database
) -> None:
    run = instance.create_run_for_job(dg.job(name="any")(lambda: None), tags={PARTITION_TAG: "org_a"})
    instance.report_dagster_event(dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name), run.run_id)
    with beating(database, run.run_id):
        pass
    assert find_live_run(instance, "org_a")
    fall_silent(database)
    assert find_live_run(instance, "org_a") is None
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE


def test_a_run_has_time_for_its_first_beat(
    instance: dg.DagsterInstance, run: dg.DagsterRun, database: Database, soon: float
) -> None:
    assert health_of(instance, run) is WorkerStatus.RUNNING
    with database.connect() as connection:
        connection.execute("UPDATE dagster.runs SET start_time = start_time - 31")
    assert health_of(instance, run) is WorkerStatus.RUNNING
    time.sleep(soon)
    assert health_of(instance, run) is WorkerStatus.FAILED


def test_a_run_beats_until_it_ends(database: Database) -> None:
    with database.connect(autocommit=True) as connection, beating(database, "run"):
        connection.execute("UPDATE sync.run_leases SET beat_at = now() - interval '1 hour'")
        deadline = time.monotonic() + 20
        while silence_of(connection, "run").lasts.total_seconds() > 60:
            assert time.monotonic() < deadline, "the run beat no second time"
            time.sleep(0.1)


def test_partitions_follow_the_orgs(instance: dg.DagsterInstance) -> None:
    align_partitions(instance, ["org_a", "org_b"])
    align_partitions(instance, ["org_b", "org_c"])
    assert instance.get_dynamic_partitions("org") == ["org_b", "org_c"]
    align_partitions(instance, [])
    assert instance.get_dynamic_partitions("org") == []
