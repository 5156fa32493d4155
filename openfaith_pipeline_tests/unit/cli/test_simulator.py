"""The options of `simulator`."""

import pytest
from typer.testing import CliRunner

from openfaith_pipeline.cli.app import app
from openfaith_pipeline.cli.simulator import churches_of
from openfaith_pipeline.errors import UsageError


@pytest.mark.parametrize("limit", ["often", "0/20", "100/0", "100"])
def test_a_rate_limit_that_is_none_is_refused(limit: str) -> None:
    outcome = CliRunner().invoke(app, ["simulator", "--rate-limit", limit])

    assert isinstance(outcome.exception, UsageError)
    assert "100/20" in str(outcome.exception)


def test_churches_are_the_same_each_time_and_of_the_requested_sizes() -> None:
    churches = churches_of([250, 120], 7)

    assert churches == churches_of([250, 120], 7)
    assert [church.people for church in churches] == [250, 120]
    assert len({church.org_id for church in churches}) == 2
