"""Data prepared for all records of one entity of an org before their rows are made, and joined to each."""

from collections.abc import Callable
from dataclasses import dataclass

from psycopg import sql

from openfaith_pipeline.transform.workspace import Workspace


@dataclass(frozen=True)
class Enrichment:
    """prepare: fills a temporary table. join: the LEFT JOIN that brings it in; at most one row for each raw row `r`.

    items: SQL for further custom-field items of the row: JSON objects as text, separated by commas, or null.
    changed_at: SQL for the time when these last changed at the source, null if none is known.
    """

    prepare: Callable[[Workspace], None]
    join: sql.Composable
    items: sql.Composable | None = None
    changed_at: sql.Composable | None = None
