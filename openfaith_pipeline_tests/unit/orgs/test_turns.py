"""Each org's own moment in the period."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from openfaith_pipeline.orgs.org_settings import OrgSettings
from openfaith_pipeline.orgs.turns import NIGHT_BEGINS, NIGHT_LASTS, Kind, next_turn

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))
PERIODS = st.timedeltas(timedelta(minutes=1), timedelta(days=30))


@given(st.text(min_size=1), MOMENTS, PERIODS)
def test_turns_are_a_period_apart_and_always_ahead(org_id: str, now: datetime, every: timedelta) -> None:
    settings = OrgSettings(sync_every=every)
    first = next_turn(org_id, Kind.INCREMENTAL, now, settings)
    assert now < first <= now + every
    assert next_turn(org_id, Kind.INCREMENTAL, first, settings) == first + every


def test_orgs_are_spread_over_the_period() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    minutes = [
        int((next_turn(f"org_{number}", Kind.INCREMENTAL, now, OrgSettings()) - now) / timedelta(minutes=1))
        for number in range(1500)
    ]
    assert all(60 < minutes.count(minute) < 140 for minute in range(15))


def test_reconciles_are_at_night() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for number in range(100):
        at = next_turn(f"org_{number}", Kind.RECONCILE, now, OrgSettings())
        assert NIGHT_BEGINS <= at - datetime(2026, 1, 2, tzinfo=UTC) <= NIGHT_BEGINS + NIGHT_LASTS
