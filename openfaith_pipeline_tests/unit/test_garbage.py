"""Rare collections end with the last who asked for them."""

import gc

from openfaith_pipeline.garbage import rare_collections


def test_collections_are_rare_until_the_last_block_ends() -> None:
    usual, frozen = gc.get_threshold(), gc.get_freeze_count()
    first, second = rare_collections(), rare_collections()
    first.__enter__()
    second.__enter__()
    assert gc.get_threshold()[0] > 10 * usual[0]
    assert gc.get_freeze_count() > frozen
    first.__exit__(None, None, None)
    assert gc.get_threshold()[0] > 10 * usual[0], "the other still works"
    second.__exit__(None, None, None)
    assert (gc.get_threshold(), gc.get_freeze_count()) == (usual, 0)
