"""The journal: every change of a raw, link or canonical row, with its values before and after, the sync and the cause.

Belongs here: writing entries in the statement that makes the change (`journaled`), reading a row's history, and undoing
a sync. Does not: deciding which rows change.
"""

from openfaith_pipeline.journal.tables import (
    CONFLICTS,
    LOCAL_EDITS,
    JournaledTable,
    canonical_rows,
    link_rows,
    raw_rows,
)
from openfaith_pipeline.journal.writing import Write, entries_of, journaled

__all__ = [
    "CONFLICTS",
    "LOCAL_EDITS",
    "JournaledTable",
    "Write",
    "canonical_rows",
    "entries_of",
    "journaled",
    "link_rows",
    "raw_rows",
]
