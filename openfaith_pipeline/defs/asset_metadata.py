"""Descriptions and metadata of streams and tables in Dagster, for definitions and for events."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import dagster as dg
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

from openfaith_pipeline.catalog.source import Product
from openfaith_pipeline.catalog.stream import Strategy, Stream
from openfaith_pipeline.catalog.words import describe_table
from openfaith_pipeline.database.comments import words_of
from openfaith_pipeline.database.raw_tables import raw_table
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import StreamResult
from openfaith_pipeline.transform import TransformResult

_WAYS: Final[Mapping[Strategy, str]] = {
    Strategy.INCREMENTAL: "Changes since the last sync, by `{cursor}`.",
    Strategy.FILTERED: "Changes since the last sync, by `{cursor}`, in the listing's own order.",
    Strategy.ORDERED: "Changes since the last sync, newest `{cursor}` first.",
    Strategy.APPEND: "Records added since the last sync, by `{cursor}`.",
    Strategy.FULL: "The whole list each time, compared by content.",
    Strategy.SINGLETON: "One record, compared by content.",
    Strategy.INCLUDED: "Included in the pages of {parents}.",
    Strategy.CHILD: "Read for each record of {parents}.",
    Strategy.PUSHED: "From webhook events only; no list shows them.",
}

CHURCH: Final = "church"
"""Metadata with the org's name, on each event of its partition."""

SENSITIVITY_TAG: Final = "openfaith/sensitivity"
"""The tag of columns that hold personal, financial or health data."""


def product_title(product: Product) -> str:
    """`Planning Center Check Ins`."""
    return f"{product.source.title} {_words(product.value).title()}"


def asset_key(stream: Stream) -> dg.AssetKey:
    """`<adapter>_people/emails`: the path of the asset is the name of the table."""
    return dg.AssetKey([stream.schema, stream.short_name])


def describe_stream(stream: Stream) -> str:
    """Contents of the stream, how it is read, and a link to Planning Center's documentation, in Markdown."""
    parents = " and ".join(f"`{STREAMS[name].raw_table}`" for name in stream.parents)
    way = _WAYS[stream.strategy].format(cursor=stream.cursor, parents=parents)
    reference = f"[{stream.type} at {stream.product.source.title}]({stream.reference_url})"
    return f"{describe_table(stream)}.\n\n{way}\n\n{reference}"


def raw_columns(stream: Stream) -> dg.TableSchema:
    """Columns of the stream's raw table."""
    return column_schema(raw_table(stream))


def column_schema(table: Table) -> dg.TableSchema:
    """A table's columns in Dagster's form; the mark is a tag, by which Dagster's catalog can be searched."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=column.type.compile(dialect=dialect).lower(),
                description=words.text if (words := words_of(column)) else None,
                tags={SENSITIVITY_TAG: words.mark.value} if words and words.mark else None,
                constraints=dg.TableColumnConstraints(nullable=bool(column.nullable)),
            )
            for column in table.columns
        ]
    )


def stream_metadata(
    stream: Stream, result: StreamResult, sync_id: str, church: str, preview: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Metadata for a stream's event on a partition: outcome, counts, and a preview without personal data.

    church: the org's name.
    """
    counts = {
        "rows_fetched": result.fetched,
        "rows_inserted": result.inserted,
        "rows_updated": result.updated,
        "rows_unchanged": result.unchanged,
        "rows_deleted": result.deleted,
        "rows_merged": result.merged,
        "rows_held_from_deletion": result.held,
        "changes_without_new_cursor": result.caught,
        "rows_quarantined": result.quarantined,
        # Records that came with another stream's pages took no request of their own.
        **({} if result.fetched and not result.requests else {"requests": result.requests}),
        "seconds": round(result.seconds, 3),
        "seconds_waited_for_rate_limit": round(result.waited_seconds, 3),
    }
    return {
        CHURCH: church,
        "status": result.status,
        **({"reason": result.error} if result.error else {}),
        **({"drift": ", ".join(result.drift)} if result.drift else {}),
        **counts,
        **({"rows_withheld_by_erasure": result.withheld_by_erasure} if result.withheld_by_erasure else {}),
        "mode": result.mode,
        "sync_id": sync_id,
        **_table_facts(stream.raw_table, result.row_count),
        **({"preview": preview_table(preview)} if preview else {}),
    }


_NOT_ROWS: Final = frozenset(("table", "row_count", "conflicts"))


def failure_metadata(result: StreamResult, sync_id: str, church: str) -> dict[str, Any]:
    """Metadata for the event of a stream that a sweep could not sync."""
    return {CHURCH: church, "status": result.status, "reason": result.error or "", "sync_id": sync_id}


def canonical_metadata(result: TransformResult, table_name: str, sync_id: str, church: str) -> dict[str, Any]:
    """Metadata for a canonical table's event on a partition."""
    counts = {f"rows_{name}": count for name, count in asdict(result).items() if name not in _NOT_ROWS}
    return {
        CHURCH: church,
        **counts,
        "conflicts_waiting": result.conflicts,
        "sync_id": sync_id,
        **_table_facts(table_name, result.row_count),
    }


def preview_table(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """Rows as a Dagster table; all values become text, because it has no timestamps."""
    records = [dg.TableRecord({name: _shown(value) for name, value in row.items()}) for row in rows]
    schema = dg.TableSchema(columns=[dg.TableColumn(name=name) for name in rows[0]])
    return dg.MetadataValue.table(records, schema)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return "" if value is None else str(value)


def _table_facts(table_name: str, row_count: int | None) -> dict[str, Any]:
    return {
        "dagster/table_name": table_name,
        **({} if row_count is None else {"dagster/partition_row_count": row_count}),
    }
