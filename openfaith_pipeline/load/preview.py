"""A preview of published rows without personal data: ids, relationships and times of change."""

from typing import Any, Final

from psycopg import Connection, sql
from psycopg.rows import dict_row

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.text.printable import plain_or_hash

_SHOWN_MOMENTS: Final = ("created_at", "updated_at")
_BOOKKEEPING: Final = ("_synced_at",)


def preview_columns(stream: Stream) -> tuple[str, ...]:
    """Columns that say nothing about a person: no text, number, date or flag of the record itself."""
    relationships = {f"{name}{suffix}" for name in stream.belongs_to for suffix in ("_id", "_type")}
    own = [column for column in stream.columns if column in relationships or column in _SHOWN_MOMENTS]
    return ("id", *own, *_BOOKKEEPING)


def preview_rows(connection: Connection[Any], stream: Stream, org_id: str, limit: int) -> list[dict[str, Any]]:
    """Up to `limit` rows of the org that are not deleted, each as column -> value in the order of `preview_columns`.

    A hash is in place of an id that does not look like one.
    """
    query = sql.SQL("SELECT {} FROM {} WHERE org_id = %s AND _deleted_at IS NULL ORDER BY id LIMIT %s").format(
        sql.SQL(", ").join(map(sql.Identifier, preview_columns(stream))),
        raw_name(stream),
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query, (org_id, limit)).fetchall()
    return [
        {name: plain_or_hash(value) if value and isinstance(value, str) else value for name, value in row.items()}
        for row in rows
    ]
