"""Which crashed runs are run again, once Dagster's own retries have passed over them."""

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.events import JobFailureData, RunFailureReason
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from openfaith_pipeline.defs.instance import LOCATION_NAME
from openfaith_pipeline.defs.location import definitions
from openfaith_pipeline.defs.retries import is_retried, lost_retries
from openfaith_pipeline.orgs.org_ids import new_org_id

ORIGIN = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(LOCATION_NAME), "__repository__")
JOB = "__ASSET_JOB"
CAMPUSES = dg.AssetKey(["pco_people", "campuses"])


@pytest.fixture
def org_id(instance: dg.DagsterInstance) -> Iterator[str]:
    org_id = new_org_id()
    instance.add_dynamic_partitions("org", [org_id])
    yield org_id
    instance.delete_dynamic_partition("org", org_id)


def _failed(
    instance: dg.DagsterInstance,
    org_id: str,
    reason: RunFailureReason = RunFailureReason.RUN_EXCEPTION,
    *,
    is_of_command_line: bool = False,
    **tags: str,
) -> dg.DagsterRun:
    run = instance.create_run_for_job(
        definitions().resolve_implicit_global_asset_job_def(),
        tags={"dagster/partition": org_id, **tags},
        asset_selection=frozenset([CAMPUSES]),
        run_config={"ops": {"pco_people": {"config": {"mode": "RECONCILE"}}}},
        remote_job_origin=None if is_of_command_line else RemoteJobOrigin(ORIGIN, JOB),
    )
    failure = dg.DagsterEvent("PIPELINE_FAILURE", JOB, event_specific_data=JobFailureData(None, reason))
    for event in (dg.DagsterEvent("PIPELINE_START", JOB), failure):
        instance.report_dagster_event(event, run.run_id)
    return instance.get_run_by_id(run.run_id)


def _lost(instance: dg.DagsterInstance, *, passed_but: int = 0) -> list[dg.RunRequest]:
    """The lost retries once Dagster's daemon has passed all but the newest `passed_but` events."""
    cursor = instance.event_log_storage.get_maximum_record_id() - passed_but
    instance.daemon_cursor_storage.set_cursor_values({"EVENT_LOG_CONSUMER_CURSOR-PIPELINE_FAILURE": str(cursor)})
    return list(lost_retries(instance))


def test_a_failure_that_dagster_has_not_looked_at_is_left_to_it(instance: dg.DagsterInstance, org_id: str) -> None:
    run = _failed(instance, org_id)
    [failure] = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
    newer = instance.event_log_storage.get_maximum_record_id() - failure.storage_id
    assert _lost(instance, passed_but=newer + 1) == []
    assert len(_lost(instance, passed_but=newer)) == 1


def test_the_same_run_is_requested_again(instance: dg.DagsterInstance, org_id: str) -> None:
    run = _failed(instance, org_id, **{"openfaith/trigger": "api", "mine": "kept"})
    [again] = _lost(instance)

    assert again.job_name == "pco_sync"
    assert list(again.asset_selection) == [CAMPUSES]
    assert again.partition_key == org_id
    assert again.run_config == run.run_config
    expected = {
        "dagster/parent_run_id": run.run_id,
        "dagster/root_run_id": run.run_id,
        "dagster/retry_number": "1",
        "openfaith/sync_id": run.run_id,
        "openfaith/trigger": "api",
        "mine": "kept",
    }
    assert expected.items() <= again.tags.items()
    assert not {"dagster/failure_reason", "dagster/will_retry"} & again.tags.keys()


@pytest.mark.parametrize(
    "how",
    [
        {"reason": RunFailureReason.STEP_FAILURE},
        {"is_of_command_line": True},
        {"dagster/max_retries": "0"},
        {"dagster/backfill": "of-which-nothing-is-known"},
    ],
    ids=str,
)
def test_a_failure_that_dagster_would_not_retry_is_not_retried(
    instance: dg.DagsterInstance, org_id: str, how: dict[str, object]
) -> None:
    run = _failed(instance, org_id, **how)
    assert _lost(instance) == []
    assert not is_retried(instance, run)


def test_a_run_that_was_repeated_is_not_lost(instance: dg.DagsterInstance, org_id: str) -> None:
    run = _failed(instance, org_id)
    [again] = _lost(instance)
    _failed(instance, org_id, **again.tags)
    assert run.run_id not in {each.tags["dagster/parent_run_id"] for each in _lost(instance)}
    assert is_retried(instance, run)


def test_it_is_run_again_no_oftener_than_the_instance_allows(instance: dg.DagsterInstance, org_id: str) -> None:
    runs = [_failed(instance, org_id)]
    while (lost := _lost(instance)) and len(runs) < 10:
        runs.append(_failed(instance, org_id, **lost[0].tags))
    assert len(runs) == 1 + instance.run_retries_max_retries == 4
    assert [is_retried(instance, run) for run in runs] == [True] * 3 + [False]


def test_an_org_that_is_gone_is_passed_over(instance: dg.DagsterInstance, org_id: str) -> None:
    _failed(instance, "org_that_is_gone")
    _failed(instance, org_id)
    assert [each.partition_key for each in _lost(instance)] == [org_id]
