"""Periods as they are typed."""

from datetime import timedelta

import pytest

from openfaith_pipeline.cli.periods import parse_period, written_period
from openfaith_pipeline.errors import UsageError


@pytest.mark.parametrize("text", ["1m", "15m", "36h", "7d", "90d"])
def test_a_period_is_shown_as_it_is_typed(text: str) -> None:
    assert written_period(parse_period(text, "--every")) == text


def test_the_largest_whole_unit_is_shown() -> None:
    assert written_period(parse_period(" 60m ", "--every")) == "1h"
    assert written_period(timedelta(hours=48)) == "2d"


@pytest.mark.parametrize("text", ["", "d", "1.5h", "-1d", "1w", "10000m", "1d2h"])
def test_a_text_that_is_no_period_is_refused_by_the_options_name(text: str) -> None:
    with pytest.raises(UsageError, match="--within takes a number and m, h or d"):
        parse_period(text, "--within")
