"""Removal of a person's records from the raw tables, and of the references to them from the rows that stay."""

from collections.abc import Iterator
from typing import Any, Final

from psycopg import Cursor, sql

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.journal.tables import link_rows, raw_rows
from openfaith_pipeline.journal.writing import journaled
from openfaith_pipeline.privacy.person_records import PersonRecords, condition_of
from openfaith_pipeline.sources import PERSONAL, STREAMS

CLEARED: Final = "references in "
"""Begins the name of a count of rows that stay."""

# Relationships that the catalog does not declare are kept in `_extra`.
_UNDECLARED: Final = sql.SQL("""(jsonb_typeof(target._extra -> 'relationships') = 'object' AND EXISTS (
    SELECT FROM jsonb_each(CASE WHEN jsonb_typeof(target._extra -> 'relationships') = 'object'
        THEN target._extra -> 'relationships' END) AS named
    WHERE named.value ->> 'id' = ANY(%(person_ids)s) AND named.value ->> 'type' = ANY(%(person_types)s)))""")

_CLEAR: Final = sql.SQL("UPDATE {raw} AS target SET {cleared} WHERE org_id = %(org_id)s AND ({named})")


def clear_references(cursor: Cursor[Any], records: PersonRecords, erasure_id: str) -> dict[str, int]:
    """Clear rows that only name a record of the person's; returns counts by table.

    The changes are journaled under the erasure's id until the journal is redacted by them.
    """
    counts: dict[str, int] = {}
    for stream in STREAMS.values():
        number = _clear(cursor, records, stream, erasure_id)
        if number:
            counts[CLEARED + stream.raw_table] = number
    return counts


def remove_records(cursor: Cursor[Any], records: PersonRecords) -> dict[str, int]:
    """Remove the person's rows and links; returns counts by table."""
    counts: dict[str, int] = {}
    for stream in STREAMS.values():
        for table, number in _remove_links(cursor, records, stream):
            counts[table] = counts.get(table, 0) + number
        if ids := records.ids(stream):
            statement = sql.SQL("DELETE FROM {} WHERE org_id = %s AND id = ANY(%s)").format(raw_name(stream))
            counts[stream.raw_table] = cursor.execute(statement, (records.org_id, ids)).rowcount
    return {table: number for table, number in counts.items() if number}


def linked_targets(stream: Stream) -> Iterator[tuple[str, str]]:
    """The stream's to-many relationships with a known target: relationship, target."""
    for name, target in stream.has_many.items():
        if target:
            yield name, target
    for name, kind in stream.listed_by.items():
        if target := stream.belongs_to[kind]:
            yield name, target


def _clear(cursor: Cursor[Any], records: PersonRecords, stream: Stream, erasure_id: str) -> int:
    people = PERSONAL.by_adapter[stream.adapter].people
    person_types = sorted({name for each in people for name in (each.type, *each.aliases)})
    parameters: dict[str, Any] = {
        "org_id": records.org_id,
        "sync_id": erasure_id,
        "cause": "erasure",
        "person_ids": list(records.people.get(stream.adapter, ())),
        "person_types": person_types,
    }
    conditions = {
        name: condition
        for name in stream.belongs_to
        if (condition := condition_of("target", stream, name, records, parameters)) is not None
    }
    cleared: list[sql.Composable] = [
        sql.SQL("{0} = CASE WHEN {1} THEN NULL ELSE target.{0} END").format(sql.Identifier(column), condition)
        for column, condition in _cleared_columns(stream, conditions)
    ]
    # Undeclared attributes may describe the person. An empty hash matches no record, so the next sync writes its own.
    cleared += [sql.SQL("_extra = NULL"), sql.SQL("_content_hash = ''::bytea")]
    write = _CLEAR.format(
        raw=raw_name(stream),
        cleared=sql.SQL(", ").join(cleared),
        named=sql.SQL(" OR ").join([*conditions.values(), _UNDECLARED]),
    )
    return cursor.execute(journaled(raw_rows(stream), write), parameters).rowcount


def _cleared_columns(stream: Stream, conditions: dict[str, sql.Composable]) -> Iterator[tuple[str, sql.Composable]]:
    """Each column to clear, once, with the condition for it."""
    by_column: dict[str, list[sql.Composable]] = {}
    for name, condition in conditions.items():
        columns = [f"{name}_id", *([] if stream.belongs_to[name] else [f"{name}_type"])]
        for column in (*columns, *PERSONAL.of(stream).describes.get(name, ())):
            by_column.setdefault(column, []).append(condition)
    for column, either in by_column.items():
        yield column, sql.SQL("({})").format(sql.SQL(" OR ").join(either))


def _remove_links(cursor: Cursor[Any], records: PersonRecords, stream: Stream) -> Iterator[tuple[str, int]]:
    targets = dict(linked_targets(stream))
    for name in stream.links:
        table = link_rows(stream, name)
        for column, ids in (
            ("id", records.own.get(stream.name)),
            ("related_id", records.own.get(targets.get(name, ""))),
        ):
            if ids:
                statement = sql.SQL("DELETE FROM {} WHERE org_id = %s AND {} = ANY(%s)").format(
                    table.identifier, sql.Identifier(column)
                )
                yield table.full_name, cursor.execute(statement, (records.org_id, sorted(ids))).rowcount
