"""A run turns the results of its streams into materializations, failures and retries."""

import dataclasses
from collections.abc import Callable

import dagster as dg
import pytest

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.checks import Finding
from openfaith_pipeline.defs import op_errors
from openfaith_pipeline.defs.asset_metadata import stream_metadata
from openfaith_pipeline.defs.failure_reasons import reason_of
from openfaith_pipeline.defs.op_errors import RETRY_POLICY
from openfaith_pipeline.errors import ConnectionRejected, DatabaseUnavailable, OrgPaused
from openfaith_pipeline.journal.undoing import Undone
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.sources import STREAMS, streams_of
from openfaith_pipeline.sync.compensation import Compensation
from openfaith_pipeline.sync.results import StreamResult, SyncMode
from openfaith_pipeline.sync.rollback import OrgRollback, RollbackOrder
from openfaith_pipeline_tests.unit.defs.conftest import ORG_ID, FakeEngine, succeeded

Run = Callable[..., dg.JobExecutionResult]


def ends(status: str, *names: str, error: str = "HTTP 500") -> Callable[[Stream], StreamResult]:
    """An attempt in which these streams end so and the others succeed."""

    def attempt(stream: Stream) -> StreamResult:
        result = succeeded(stream)
        return dataclasses.replace(result, status=status, error=error) if stream.name in names else result

    return attempt


def raises(error: BaseException) -> Callable[[Stream], StreamResult]:
    def attempt(_: Stream) -> StreamResult:
        raise error

    return attempt


def materialized(result: dg.JobExecutionResult) -> list[str]:
    events = result.filter_events(lambda event: event.is_step_materialization)
    return [event.asset_key.to_user_string() for event in events if event.asset_key]


def retries(result: dg.JobExecutionResult) -> int:
    return len(result.filter_events(lambda event: event.event_type_value == "STEP_UP_FOR_RETRY"))


def test_a_run_is_one_op_for_each_product_and_one_transform(run_assets: Run, engine: FakeEngine) -> None:
    firsts = [streams_of(product)[0] for product in Product if streams_of(product)]

    result = run_assets(*(f"{stream.schema}/{stream.short_name}" for stream in firsts), "openfaith/emails")

    assert result.success
    assert sorted(names for _, names, _ in engine.asked) == sorted([stream.name] for stream in firsts)
    assert engine.transformed == [["emails"]]
    assert len(materialized(result)) == len(firsts) + 1


def test_a_selection_is_synced_examined_and_materialized_alone(run_assets: Run, engine: FakeEngine) -> None:
    result = run_assets("pco_people/people", "pco_people/emails", "openfaith/emails")

    assert [names for _, names, _ in engine.asked] == [["people.people", "people.emails"]]
    assert engine.transformed == [["emails"]]
    assert materialized(result) == ["pco_people/people", "pco_people/emails", "openfaith/emails"]
    examined = {(e.asset_key.to_user_string(), e.partition) for e in result.get_asset_check_evaluations()}
    assert examined == {("pco_people/people", ORG_ID), ("pco_people/emails", ORG_ID)}


def test_the_event_of_a_partition_has_the_results(run_assets: Run) -> None:
    result = run_assets("pco_people/emails")

    [event] = result.filter_events(lambda event: event.is_step_materialization)
    told = {key: value.value for key, value in event.step_materialization_data.materialization.metadata.items()}
    assert event.partition == ORG_ID
    assert told["church"] == "Amber Chapel"
    assert told["rows_fetched"] == 7
    assert told["rows_inserted"] == 3
    assert told["requests"] == 2
    assert told["dagster/partition_row_count"] == 70
    assert told["dagster/table_name"] == "pco_people.emails"
    assert told["mode"] == "incremental"
    assert told["sync_id"] == result.run_id
    preview = event.step_materialization_data.materialization.metadata["preview"]
    assert [record.data for record in preview.records] == [{"id": "1", "person_id": ""}]


def test_records_that_came_along_are_not_said_to_have_taken_no_request() -> None:
    along = stream_metadata(
        STREAMS["people.emails"], StreamResult("people.emails", "succeeded", "m", fetched=7), "s", "c"
    )
    none = stream_metadata(STREAMS["people.emails"], StreamResult("people.emails", "succeeded", "m"), "s", "c")
    assert "requests" not in along
    assert none["requests"] == 0


def test_the_mode_is_the_ops_configuration(run_assets: Run, engine: FakeEngine) -> None:
    run_assets("pco_people/emails", ops={"pco_people": {"config": {"mode": "RECONCILE"}}})

    assert engine.asked[0][2] is SyncMode.RECONCILE


def test_a_failed_stream_is_named_and_holds_up_only_the_tables_it_feeds(run_assets: Run, engine: FakeEngine) -> None:
    engine.attempts = [ends("failed", "people.lists")]

    result = run_assets("pco_people/emails", "pco_people/lists", "openfaith/emails")

    assert not result.success
    assert "people.lists failed: HTTP 500" in str(result.failure_data_for_node("pco_people").error.cause)
    assert retries(result) == 3
    assert set(materialized(result)) == {"pco_people/emails", "openfaith/emails"}


def test_tables_that_a_failed_stream_feeds_are_not_made(run_assets: Run, engine: FakeEngine) -> None:
    engine.attempts = [ends("failed", "people.emails")]

    result = run_assets("pco_people/emails", "pco_people/lists", "openfaith/emails")

    assert set(materialized(result)) == {"pco_people/lists"}
    assert engine.transformed == []


def test_a_stream_that_succeeds_at_the_next_attempt_is_done(run_assets: Run, engine: FakeEngine) -> None:
    engine.attempts = [ends("failed", "people.emails"), succeeded]

    result = run_assets("pco_people/emails", "openfaith/emails")

    assert result.success
    assert retries(result) == 1
    assert len({request.sync_id for request, _, _ in engine.asked}) == 1
    assert materialized(result) == ["pco_people/emails", "openfaith/emails"]


def test_an_unproven_listing_is_published_and_not_chased(run_assets: Run, engine: FakeEngine) -> None:
    # The sync itself has read it several times; the held deletions wait for a person.
    engine.attempts = [ends("incomplete", "people.emails", error="2 records short")]

    result = run_assets("pco_people/emails", "pco_people/people")

    assert not result.success
    assert sorted(materialized(result)) == ["pco_people/emails", "pco_people/people"]
    assert retries(result) == 0
    assert "2 records short" in str(result.failure_data_for_node("pco_people").user_failure_data.description)


@pytest.mark.parametrize("status", ["unavailable", "withheld"])
def test_a_withheld_stream_holds_up_nothing(run_assets: Run, engine: FakeEngine, status: str) -> None:
    engine.attempts = [ends(status, "people.field_data", error="the product is not granted")]

    result = run_assets(
        "pco_people/people", "pco_people/field_data", "pco_people/field_definitions", "openfaith/people"
    )

    assert result.success
    assert materialized(result)[-1] == "openfaith/people"
    [event] = [
        event
        for event in result.filter_events(lambda event: event.is_step_materialization)
        if event.asset_key == dg.AssetKey(["pco_people", "field_data"])
    ]
    told = event.step_materialization_data.materialization.metadata
    assert (told["status"].value, told["reason"].value) == (status, "the product is not granted")


@pytest.mark.parametrize("error", [ConnectionRejected("token refused"), OrgPaused("org is paused")])
def test_errors_that_a_retry_cannot_mend_are_not_retried(run_assets: Run, engine: FakeEngine, error: Exception) -> None:
    engine.attempts = [raises(error)]

    result = run_assets("pco_people/emails")

    assert not result.success
    assert retries(result) == 0
    assert result.failure_data_for_node("pco_people").user_failure_data.description == str(error)


def test_an_error_that_no_retry_mended_is_shown_without_a_stack_trace(
    run_assets: Run, engine: FakeEngine, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(op_errors, "_FIRST_REST_SECONDS", 0.0)
    engine.attempts = [raises(DatabaseUnavailable("Postgres is restarting"))]

    result = run_assets("pco_people/emails")

    assert not result.success
    assert reason_of(instance, result.run_id) == "Postgres is restarting"
    ends = [event for event in result.all_events if event.is_step_failure or event.is_step_up_for_retry]
    assert len(ends) == RETRY_POLICY.max_retries + 1
    errors = [event.event_specific_data.error for event in ends]
    assert all(error.cause.message == "Postgres is restarting" for error in errors)
    assert not any([*error.stack, *error.cause.stack] for error in errors)


def test_errors_that_a_retry_may_mend_are_retried(run_assets: Run, engine: FakeEngine) -> None:
    engine.attempts = [raises(DatabaseUnavailable("Postgres is restarting")), succeeded]

    result = run_assets("pco_people/emails")

    assert result.success
    assert retries(result) == 1


def test_a_terminated_run_ends_at_once(run_assets: Run, engine: FakeEngine, instance: dg.DagsterInstance) -> None:
    def terminate(_: Stream) -> StreamResult:
        [run] = instance.get_runs()
        instance.report_run_canceling(run)
        raise dg.DagsterExecutionInterruptedError

    engine.attempts = [terminate]

    result = run_assets("pco_people/emails", "pco_groups/groups")

    assert instance.get_run_by_id(result.run_id).status is dg.DagsterRunStatus.CANCELED
    assert retries(result) == 0
    assert len(engine.asked) == 1


def test_an_interrupt_that_nobody_requested_is_tried_again(run_assets: Run, engine: FakeEngine) -> None:
    engine.attempts = [raises(dg.DagsterExecutionInterruptedError()), succeeded]

    result = run_assets("pco_people/emails")

    assert result.success
    assert retries(result) == 1


def test_a_rule_that_finds_something_warns(run_assets: Run, engine: FakeEngine) -> None:
    engine.findings = {"people.emails": Finding(False, {"person": 2})}

    result = run_assets("pco_people/emails")

    assert result.success
    evaluation = result.get_asset_check_evaluations()[0]
    assert not evaluation.passed
    assert evaluation.severity is dg.AssetCheckSeverity.WARN
    assert evaluation.metadata["person"].value == 2


def test_a_blocking_check_that_failed_ends_the_run_and_shows_the_undone_rows(
    run_assets: Run, engine: FakeEngine
) -> None:
    undone = OrgRollback(ORG_ID, {"pco_people.emails": Undone(restored=9, removed=2, returned=0, kept=1)}, [])
    order = RollbackOrder("sync", streams=["people.emails"], reason="a check failed")
    finding = Finding(False, {"blanked": 9})
    compensation = Compensation(order, [undone], "all is blank", "rows_keep_their_content", finding)

    def attempt(stream: Stream) -> StreamResult:
        result = succeeded(stream)
        is_undone = stream.name == "people.emails"
        changes = {"status": "failed", "error": "all is blank", "compensation": compensation} if is_undone else {}
        return dataclasses.replace(result, **changes)

    engine.attempts = [attempt]
    result = run_assets("pco_people/emails", "pco_people/campuses", "openfaith/emails")

    assert not result.success
    assert retries(result) == 0
    assert materialized(result) == ["pco_people/campuses"]
    [check] = [
        evaluation
        for evaluation in result.get_asset_check_evaluations()
        if evaluation.check_name == "rows_keep_their_content" and not evaluation.passed
    ]
    assert (check.severity, check.metadata["blanked"].value) == (dg.AssetCheckSeverity.ERROR, 9)
    [seen] = result.filter_events(lambda event: event.is_asset_observation)
    observation = seen.asset_observation_data.asset_observation
    assert (observation.asset_key.to_user_string(), observation.partition) == ("pco_people/emails", ORG_ID)
    assert observation.metadata["rows_restored"].value == 9
