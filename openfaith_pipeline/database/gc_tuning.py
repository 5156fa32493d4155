"""Tuning of Python's garbage collector for code that makes many objects in which there is nothing to collect.

Each page is thousands of dicts that reference counting alone frees. They make the collector scan all objects, libraries
included: a fifth of a sync's CPU time, in pauses of 0.1 s. Dagster's definitions all stay: scanning them took a third
of the time that making them takes, at the start of each of its processes.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

_DICTS_BETWEEN_COLLECTIONS: Final = 10_000
"""A few pages of people with included records. Python's own 700 is a quarter of one such page."""

_lock: Final = Lock()
_before: Final[list[tuple[tuple[int, int, int], int]]] = []
"""Previous thresholds and number of frozen objects, once for each active block, in any thread."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """During the block, collect rarely, and ignore objects that existed before it."""
    with _lock:
        _before.append(_before[0] if _before else (gc.get_threshold(), gc.get_freeze_count()))
        gc.freeze()
        gc.set_threshold(_DICTS_BETWEEN_COLLECTIONS, *_before[0][0][1:])
    try:
        yield
    finally:
        with _lock:
            thresholds, frozen = _before.pop()
            if not _before:
                gc.set_threshold(*thresholds)
                if not frozen:
                    gc.unfreeze()
