"""The short version of `make chaos`."""

from pathlib import Path

import pytest

from openfaith_pipeline_tests.chaos.rounds import Figures, play
from openfaith_pipeline_tests.chaos.world import made_up_world

pytestmark = pytest.mark.slow


def test_whatever_is_killed_everything_is_equal_to_the_source_again(open_directory: Path) -> None:
    figures = Figures()
    with made_up_world(open_directory / "chaos", seed=3) as world:
        for what, wrong in play(world, 3, figures):
            assert wrong == [], what
    assert sum(world.kills.values()) > 0
