"""A step that fails in our own words: Dagster shows these, and no stack trace."""

import dagster as dg
import pytest

from openfaith_pipeline.defs.failed import Failed, failed_for_all


@pytest.fixture(scope="module")
def failure() -> dg.DagsterEvent:
    """The end of a step that may be retried, and whose failure has a cause."""

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=3))
    def fails() -> None:
        raise Failed("the church refuses", {"orgs": 3}) from KeyError("inside")

    @dg.job
    def failing() -> None:
        fails()

    events = failing.execute_in_process(raise_on_error=False).all_events
    assert not [event for event in events if event.is_step_up_for_retry]
    [failure] = [event for event in events if event.is_step_failure]
    return failure


def test_a_failure_is_its_message_and_has_no_stack_trace(failure: dg.DagsterEvent) -> None:
    data = failure.step_failure_data
    assert data.error
    assert (data.error.message, list(data.error.stack), data.error.cause) == ("the church refuses", [], None)
    assert data.error_display_string == "the church refuses"


def test_a_failure_keeps_its_metadata(failure: dg.DagsterEvent) -> None:
    data = failure.step_failure_data.user_failure_data
    assert data
    assert (data.description, data.metadata["orgs"].value) == ("the church refuses", 3)


def test_a_failure_of_all_churches_names_them_by_reason() -> None:
    failures = {"org_1": "refused", "org_2": "no connection", "org_3": "no connection"}
    assert str(failed_for_all("None of 3.", failures, {"org_1": "Oak", "org_2": "Cedar"})) == (
        "None of 3.\nCedar (org_2), org_3 (org_3): no connection;\nOak (org_1): refused"
    )


def test_a_failure_of_very_many_churches_stays_short() -> None:
    alike = {f"org_{number}": "no connection" for number in range(1000)}
    assert str(failed_for_all("None.", alike, {})).endswith("org_9 (org_9) and 990 more: no connection")
    unlike = {org_id: f"{org_id} {'refuses ' * 1000}" for org_id in alike}
    told = str(failed_for_all("None.", unlike, {}))
    assert told.endswith(";\n995 more reasons are in the log")
    assert len(told) < 5 * 400
