"""The nightly verification comes to every stream, and nothing else verifies."""

from datetime import date, timedelta

from openfaith_pipeline.audit.shares import is_turn_of_canonical, share_of
from openfaith_pipeline.defs.location import definitions
from openfaith_pipeline.defs.verified_checks import VERIFIED
from openfaith_pipeline.sources import STREAMS

DAY = date(2026, 3, 1)


def test_no_run_of_assets_executes_the_check() -> None:
    graph = definitions().get_repository_def().asset_graph
    assert VERIFIED not in {key.name for key in graph.asset_check_keys}


def test_every_stream_has_its_turn_once_in_a_week() -> None:
    shares = [share_of(DAY + timedelta(days=night), 7) for night in range(7)]
    assert sorted(stream.name for share in shares for stream in share) == sorted(STREAMS)
    assert max(map(len, shares)) < len(STREAMS) / 4
    turns = [is_turn_of_canonical("org_a", DAY + timedelta(days=night), 7) for night in range(7)]
    assert turns.count(True) == 1
