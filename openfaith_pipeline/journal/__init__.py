"""The journal: what every change of a raw, link or canonical row was before and after, by which sync, and why.

Whoever writes such a row writes through `journaled`: the images are in the very statement that makes the change.
"""

from openfaith_pipeline.journal.tables import JournaledTable, canonical_rows, link_rows, raw_rows
from openfaith_pipeline.journal.writing import Write, entries_of, journaled

__all__ = ["JournaledTable", "Write", "canonical_rows", "entries_of", "journaled", "link_rows", "raw_rows"]
