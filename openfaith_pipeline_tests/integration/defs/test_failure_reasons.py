"""A run says why it failed to those who were not there, in our words or by the kind of error alone."""

from collections.abc import Iterator

import dagster as dg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.failure_reasons import reason_of
from openfaith_pipeline.defs.instance import open_instance
from openfaith_pipeline.errors import TransientError


@pytest.fixture
def instance(database: Database) -> Iterator[dg.DagsterInstance]:
    with open_instance(database.settings, database) as opened:
        yield opened


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TransientError("GET /people/v2: 500, Planning Center failed\x1b[2J"), "GET /people/v2: 500, Planning Center"),
        (dg.Failure(description="the connection is over", allow_retries=False), "the connection is over"),
        (KeyError("ada@example.org"), "an unexpected KeyError"),
    ],
    ids=["ours", "described", "unforeseen"],
)
def test_a_run_says_why_it_failed(instance: dg.DagsterInstance, error: Exception, reason: str) -> None:
    @dg.op
    def fails() -> None:
        raise error

    @dg.job
    def failing() -> None:
        fails()

    run = failing.execute_in_process(instance=instance, raise_on_error=False)
    found = str(reason_of(instance, run.run_id))
    assert reason in found
    assert "\x1b" not in found
    assert "ada@" not in found


def test_a_run_that_was_failed_from_outside_says_why(instance: dg.DagsterInstance) -> None:
    run = instance.create_run_for_job(dg.job(name="any")(lambda: None))
    instance.report_run_failed(run, "no heartbeat for 21 s")
    assert reason_of(instance, run.run_id) == "no heartbeat for 21 s"


def test_a_run_that_did_not_fail_says_nothing(instance: dg.DagsterInstance) -> None:
    assert reason_of(instance, "no_such_run") is None
