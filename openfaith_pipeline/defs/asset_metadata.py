"""How streams and tables are described to people in Dagster, before a run and after it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import dagster as dg
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

from openfaith_pipeline.catalog import STREAMS, Product, Strategy, Stream
from openfaith_pipeline.sync import StreamResult
from openfaith_pipeline.transform import TransformResult

_WAYS: Final[Mapping[Strategy, str]] = {
    Strategy.INCREMENTAL: "What changed since the last sync, by `{cursor}`.",
    Strategy.ORDERED: "What changed since the last sync, newest `{cursor}` first.",
    Strategy.APPEND: "What was added since the last sync, by `{cursor}`.",
    Strategy.FULL: "The whole list each time, compared by content.",
    Strategy.SINGLETON: "One record, compared by content.",
    Strategy.INCLUDED: "Read along with the pages of `{parent}`.",
    Strategy.CHILD: "One list for each record of `{parent}`, compared by content.",
}


def product_title(product: Product) -> str:
    """`Planning Center Check Ins`."""
    return f"Planning Center {_words(product.value).title()}"


def describe_stream(stream: Stream) -> str:
    """What the stream holds, how it is read and where Planning Center documents it, in Markdown."""
    subject = stream.description or f"{_words(stream.short_name).capitalize()} of {product_title(stream.product)}."
    parent = stream.parent and f"{STREAMS[stream.parent].schema}/{STREAMS[stream.parent].short_name}"
    way = _WAYS[stream.strategy].format(cursor=stream.cursor, parent=parent)
    return f"{subject}\n\n{way}\n\n[{stream.type} at Planning Center]({stream.reference_url})"


def column_schema(table: Table) -> dg.TableSchema:
    """The table's columns as Dagster shows them."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=column.type.compile(dialect=dialect).lower(),
                constraints=dg.TableColumnConstraints(nullable=bool(column.nullable)),
            )
            for column in table.columns
        ]
    )


def stream_metadata(
    stream: Stream, result: StreamResult, sync_id: str, preview: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What a partition's event tells of a stream: how it ended, in numbers, and a glance without personal data."""
    counts = {
        "rows_fetched": result.fetched,
        "rows_inserted": result.inserted,
        "rows_updated": result.updated,
        "rows_unchanged": result.unchanged,
        "rows_deleted": result.deleted,
        "rows_quarantined": result.quarantined,
        "requests": result.requests,
        "seconds": round(result.seconds, 3),
        "seconds_waited_for_rate_limit": round(result.waited_seconds, 3),
    }
    return {
        "status": result.status,
        **({"reason": result.error} if result.error else {}),
        **counts,
        "mode": result.mode,
        "sync_id": sync_id,
        **({"preview": preview_table(preview)} if preview else {}),
        **_table_facts(f"{stream.schema}.{stream.short_name}", result.row_count),
    }


def canonical_metadata(result: TransformResult, table_name: str, sync_id: str) -> dict[str, Any]:
    """What a partition's event tells of a canonical table."""
    counts = {f"rows_{name}": count for name, count in asdict(result).items() if name not in {"table", "row_count"}}
    return {**counts, "sync_id": sync_id, **_table_facts(table_name, result.row_count)}


def preview_table(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """Rows as Dagster's table; every value becomes text, because it knows no timestamps."""
    records = [dg.TableRecord({name: _shown(value) for name, value in row.items()}) for row in rows]
    schema = dg.TableSchema(columns=[dg.TableColumn(name=name) for name in rows[0]])
    return dg.MetadataValue.table(records, schema)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: Any) -> str:
    return "" if value is None else str(value)


def _table_facts(table_name: str, row_count: int | None) -> dict[str, Any]:
    return {
        "dagster/table_name": table_name,
        **({} if row_count is None else {"dagster/partition_row_count": row_count}),
    }
