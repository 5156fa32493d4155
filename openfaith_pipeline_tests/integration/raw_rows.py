"""Published rows put straight into raw tables, for rooms that only read them."""

from typing import Any

from psycopg import Connection, sql

from openfaith_pipeline.sources import STREAMS


def put_row(connection: Connection[Any], stream: str, org_id: str, record_id: str, **values: Any) -> None:
    """One row of `stream`; `values` are typed columns, or ours such as `_deleted_at`."""
    declared = STREAMS[stream]
    row = {
        "org_id": org_id,
        "id": record_id,
        "_content_hash": b"",
        "_first_seen_at": "2026-01-01T00:00:00Z",
        "_synced_at": "2026-01-01T00:00:00Z",
        "_sync_id": "sync",
        **values,
    }
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(declared.schema, declared.short_name),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(map(sql.Placeholder, row)),
        ),
        row,
    )
