"""Garbage collection is usual again after the last block that made it rare."""

import gc
from collections.abc import Iterator

import pytest

from openfaith_pipeline.database.gc_tuning import rare_collections


@pytest.fixture(autouse=True)
def _usual_collections() -> Iterator[None]:
    thresholds, is_frozen = gc.get_threshold(), gc.get_freeze_count()
    gc.set_threshold(700, 10, 10)
    gc.unfreeze()
    yield
    gc.set_threshold(*thresholds)
    if is_frozen:
        gc.freeze()


def test_collections_are_rare_until_the_last_block_ends() -> None:
    first, second = rare_collections(), rare_collections()
    first.__enter__()
    second.__enter__()
    assert gc.get_threshold() == (10_000, 10, 10)
    assert gc.get_freeze_count()
    first.__exit__(None, None, None)
    assert gc.get_threshold() == (10_000, 10, 10), "the other still works"
    second.__exit__(None, None, None)
    assert (gc.get_threshold(), gc.get_freeze_count()) == ((700, 10, 10), 0)


def test_objects_frozen_before_stay_frozen() -> None:
    gc.freeze()
    with rare_collections():
        pass
    assert gc.get_freeze_count()
