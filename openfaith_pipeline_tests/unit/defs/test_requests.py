"""Which attempts belong to one request."""

from collections.abc import Callable

import dagster as dg

from openfaith_pipeline.defs.run_tags import sync_id_of, trigger_of
from openfaith_pipeline_tests.unit.defs.conftest import ORG_ID, FakeEngine

Run = Callable[..., dg.JobExecutionResult]


def again(instance: dg.DagsterInstance, run_assets: Run, parent: dg.DagsterRun, *, from_failure: bool) -> dg.DagsterRun:
    """A run that Dagster makes from `parent`, with its tags copied."""
    copied = {key: value for key, value in parent.tags.items() if key.startswith("openfaith/")}
    resumed = {"dagster/is_resume_retry": "true"} if from_failure else {}
    ids = {"parent_run_id": parent.run_id, "root_run_id": parent.root_run_id or parent.run_id}
    links = {f"dagster/{name}": value for name, value in ids.items()}
    result = run_assets("pco_people/emails", tags={**copied, **resumed, **links}, **ids)
    return instance.get_run_by_id(result.run_id)


def test_a_request_is_named_by_its_first_run(instance: dg.DagsterInstance, run_assets: Run) -> None:
    run = instance.get_run_by_id(run_assets("pco_people/emails").run_id)
    assert sync_id_of(run, instance) == run.run_id
    assert run.tags["openfaith/sync_id"] == run.run_id
    assert run.tags["openfaith/org"] == ORG_ID


def test_a_request_that_was_given_a_name_keeps_it(run_assets: Run, engine: FakeEngine) -> None:
    run_assets("pco_people/emails", tags={"openfaith/sync_id": "sync-1"})
    assert engine.asked[0][0].sync_id == "sync-1"


def test_repeating_a_failed_run_continues_the_request(
    instance: dg.DagsterInstance, run_assets: Run, engine: FakeEngine
) -> None:
    first = instance.get_run_by_id(run_assets("pco_people/emails", tags={"openfaith/sync_id": "sync-1"}).run_id)
    second = again(instance, run_assets, first, from_failure=True)
    again(instance, run_assets, second, from_failure=True)
    assert [request.sync_id for request, _, _ in engine.asked] == ["sync-1"] * 3


def test_repeating_everything_is_a_new_request(
    instance: dg.DagsterInstance, run_assets: Run, engine: FakeEngine
) -> None:
    first = instance.get_run_by_id(run_assets("pco_people/emails", tags={"openfaith/sync_id": "sync-1"}).run_id)
    second = again(instance, run_assets, first, from_failure=False)
    third = again(instance, run_assets, second, from_failure=True)
    assert [request.sync_id for request, _, _ in engine.asked] == ["sync-1", second.run_id, second.run_id]
    assert third.tags["openfaith/sync_id"] == second.run_id


def test_the_origin_of_a_run_is_known(instance: dg.DagsterInstance) -> None:
    job = dg.job(name="any")(lambda: None)
    asked = [{}, {"openfaith/trigger": "cli"}, {"dagster/backfill": "abc"}, {"dagster/schedule_name": "hourly"}]
    runs = [instance.create_run_for_job(job, tags=tags) for tags in asked]
    assert [trigger_of(run) for run in runs] == ["ui", "cli", "backfill", "schedule"]


def test_the_askers_key_goes_with_the_request_and_not_with_another(
    instance: dg.DagsterInstance, run_assets: Run, engine: FakeEngine
) -> None:
    tags = {"sync_id": "request_1", "request_id": "request_1", "idempotency_key": "nightly"}
    result = run_assets("pco_people/emails", tags={f"openfaith/{name}": value for name, value in tags.items()})
    first = instance.get_run_by_id(result.run_id)
    again(instance, run_assets, first, from_failure=True)
    anew = again(instance, run_assets, first, from_failure=False)
    again(instance, run_assets, anew, from_failure=True)
    assert [request.idempotency_key for request, _, _ in engine.asked] == ["nightly", "nightly", None, None]
