"""The nightly verification as Dagster runs it: its results are checks of the org's assets, and its reports are kept."""

from collections.abc import Iterator

import dagster as dg
import pytest

from openfaith_pipeline.audit.records import newest_verifications
from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.asset_metadata import asset_key
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.partitions import align_partitions
from openfaith_pipeline.defs.verification import verify_job
from openfaith_pipeline.defs.verified_checks import VERIFIED
from openfaith_pipeline.simulator import SimulatorClient, made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.integration.sync.church import connect, sync
from openfaith_pipeline_tests.rates import GENEROUS

DATABASE = {"database": DatabaseResource()}
CAMPUSES, EMAILS = STREAMS["people.campuses"], STREAMS["people.emails"]


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=12), rate_limit=GENEROUS) as client:
        yield client


@pytest.fixture
def synced(
    database: Database, instance: dg.DagsterInstance, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> str:
    monkeypatch.setenv("OPENFAITH_VERIFY_NIGHTS", "1")
    [org_id] = connect(database, simulator)
    align_partitions(instance, [org_id])
    sync(database, org_id, [CAMPUSES, EMAILS])
    with database.connect() as connection:
        transform_org(connection, org_id, schema="public", sync_id="made")
    return org_id


def results(instance: dg.DagsterInstance, *names: str) -> list[tuple[str, bool, str | None]]:
    """By stream, whether its newest check passed, and for which org."""
    found = []
    for name in names:
        key = dg.AssetCheckKey(asset_key(STREAMS[name]), VERIFIED)
        [newest, *_] = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        assert newest.event
        evaluation = newest.event.get_dagster_event().asset_check_evaluation_data
        found.append((name, evaluation.passed, evaluation.partition))
    return found


def tamper(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE pco_people.emails SET location = 'elsewhere'")


def test_a_night_reports_checks_and_keeps_the_report(
    synced: str, database: Database, instance: dg.DagsterInstance
) -> None:
    assert verify_job.execute_in_process(instance=instance, resources=DATABASE).success
    names = ("people.campuses", "people.emails")
    assert results(instance, *names) == [(name, True, synced) for name in names]
    tamper(database)
    assert verify_job.execute_in_process(instance=instance, resources=DATABASE).success
    assert results(instance, *names) == [("people.campuses", True, synced), ("people.emails", False, synced)]
    with database.connect() as connection:
        statuses = [(each["status"], each["trigger"]) for each in newest_verifications(connection, synced, 5)]
    assert statuses == [("differs", "schedule"), ("equal", "schedule")]


def test_no_night_verifies_where_it_is_switched_off(
    synced: str, database: Database, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENFAITH_VERIFY_NIGHTS", "0")
    assert verify_job.execute_in_process(instance=instance, resources=DATABASE).success
    with database.connect() as connection:
        assert newest_verifications(connection, synced, 5) == []
