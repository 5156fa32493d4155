"""The short version of `make chaos`: kill each process in turn, at random points."""

from pathlib import Path

import pytest

from openfaith_pipeline_tests.chaos.rounds import Plan, play
from openfaith_pipeline_tests.chaos.world import made_up_world

pytestmark = pytest.mark.slow

PLANS = (
    Plan("reconcile", "process"),
    Plan("incremental", "postgres"),
    Plan("rollback", "process"),
)
"""Acceptance/dagster kills Dagster's processes, acceptance/cli verbs."""


def test_whatever_is_killed_everything_is_equal_to_the_source_again(open_directory: Path) -> None:
    with made_up_world(open_directory / "chaos", seed=3, has_dagster=False) as world:
        for played in play(world, PLANS):
            assert played.wrong == [], played.plan
        assert sum(world.kills.values()) > 0
