"""How often a process that decodes much JSON looks for garbage.

Each page is thousands of dicts that reference counting alone frees. To the collector they are a reason to look through
everything there is, libraries included: a fifth of a sync's processor time, in pauses of 0.1 s.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_DICTS_BETWEEN_COLLECTIONS = 10_000
"""A few pages of people with what is included. Python's own 700 is a quarter of one such page."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """Within the block, collect rarely, and leave alone what was loaded before it."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_DICTS_BETWEEN_COLLECTIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
