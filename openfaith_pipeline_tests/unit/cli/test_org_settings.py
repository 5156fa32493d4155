"""`org set` refuses invalid values before it opens the database."""

import pytest

from openfaith_pipeline.cli.org_settings import set_schedule
from openfaith_pipeline.errors import UsageError


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"every": "15"}, "--every"),
        ({"every": "30s"}, "--every"),
        ({"every": "0m"}, "1m to 30d"),
        ({"poll_every": "99d"}, "1m to 30d"),
        ({"reconcile_within": "1h"}, "1d to 90d"),
        ({"streams": "people.nonsense"}, "people.nonsense"),
        ({"streams": ","}, "--streams"),
        ({}, "nothing to set"),
    ],
)
def test_a_setting_that_cannot_be_set_is_named(options: dict[str, str], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        set_schedule("org_01k5t0w2m1e9qv4y8z3n7b6c5d", **options)
