"""The history of a row, read from the journal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from openfaith_pipeline.journal.tables import JournaledTable


@dataclass(frozen=True)
class Change:
    """One change of a row.

    before, after: the changed columns and their values; for an insert or a removal the whole row.
    """

    changed_at: datetime
    table: str
    key: Mapping[str, str]
    action: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    sync_id: str
    cause: str


_CHANGES: Final = (
    'SELECT changed_at, table_name AS "table", row_key AS key, action, before, after, sync_id, cause FROM sync.journal'
    " WHERE org_id = %(org_id)s AND table_name = %(table)s"
)


def read_history(connection: Connection[Any], org_id: str, table: JournaledTable, key: Sequence[str]) -> list[Change]:
    """Changes of the row with this key, oldest first.

    If only the first columns of the key are given, changes of all rows that match them.
    """
    named = dict(zip(table.key, key, strict=False))
    # A whole key is found by its hash, a partial one among the entries of the table.
    is_whole = len(key) == len(table.key)
    found = "jsonb_hash(row_key) = jsonb_hash(%(key)s) AND row_key = %(key)s" if is_whole else "row_key @> %(key)s"
    with connection.cursor(row_factory=class_row(Change)) as cursor:
        return cursor.execute(
            f"{_CHANGES} AND {found} ORDER BY id",
            {"org_id": org_id, "table": table.full_name, "key": Jsonb(named)},
        ).fetchall()
