"""Changes made by hand in OpenFaith in rows that stay: edits of fields about the person, and conflicts with the source.

A policy may keep such a value although the source's is cleared, and both notes have values of the source.
"""

from collections.abc import Collection, Iterator
from typing import Any, Final

from psycopg import Cursor, sql

from openfaith_pipeline.canonical.addresses import CUSTOM_FIELDS, ITEMS
from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.canonical.rules import Reference
from openfaith_pipeline.journal.tables import CONFLICTS, LOCAL_EDITS
from openfaith_pipeline.privacy.entities import entities_of
from openfaith_pipeline.privacy.person_records import PersonRecords
from openfaith_pipeline.privacy.raw_rows import CLEARED
from openfaith_pipeline.sources import CANONICAL, PERSONAL, STREAMS

_CLEARED: Final = sql.SQL("""
SELECT DISTINCT row_key ->> 'id' FROM sync.journal
WHERE org_id = %(org_id)s AND sync_id = %(erasure_id)s AND table_name = %(table)s AND before ->> {id} = ANY(%(ids)s)
    AND (%(types)s::text[] IS NULL OR before ->> {type} = ANY(%(types)s))
""")

_ABOUT: Final = sql.SQL(
    "{0} = %(entity_table)s AND {1} = ANY(%(ids)s) AND ({2} = ANY(%(fields)s) OR starts_with({2}, %(items)s))"
)
_OF_ROW: Final = _ABOUT.format(*map(sql.Identifier, LOCAL_EDITS.key))
_OF_KEY, _OF_IMAGE = (
    _ABOUT.format(*(sql.SQL("{} ->> {}").format(sql.Identifier(of), sql.Literal(name)) for name in LOCAL_EDITS.key))
    for of in ("row_key", "image")
)

_FORGET: Final = {
    "sync.journal": (
        sql.SQL("""
DELETE FROM sync.journal AS entry USING (
    SELECT jsonb_build_object('id', id) AS row_key FROM sync.conflicts WHERE org_id = %(org_id)s AND {of_row}
    UNION
    SELECT row_key FROM sync.journal, LATERAL (VALUES (before), (after)) AS each (image)
    WHERE org_id = %(org_id)s AND table_name = {conflicts} AND {of_image}
) AS gone
WHERE entry.org_id = %(org_id)s AND entry.table_name = {conflicts} AND entry.row_key = gone.row_key
""").format(of_row=_OF_ROW, of_image=_OF_IMAGE, conflicts=sql.Literal(CONFLICTS.full_name)),
        sql.SQL("DELETE FROM sync.journal WHERE org_id = %(org_id)s AND table_name = {} AND {}").format(
            sql.Literal(LOCAL_EDITS.full_name), _OF_KEY
        ),
    ),
    **{
        CLEARED + table.full_name: (
            sql.SQL("DELETE FROM {} WHERE org_id = %(org_id)s AND {}").format(table.identifier, _OF_ROW),
        )
        for table in (CONFLICTS, LOCAL_EDITS)
    },
}
"""Statements by the place that they are counted for, in order: the conflicts name their entries in the journal."""


def forget_edits(cursor: Cursor[Any], records: PersonRecords, erasure_id: str) -> dict[str, int]:
    """Forget edits and conflicts of the rows that the erasure has cleared; returns counts by place.

    The next transform then writes the source's values, which are cleared.
    """
    counts = dict.fromkeys(_FORGET, 0)
    for entity, ids in _cleared(cursor, records, erasure_id):
        attributes = [name for described in PERSONAL.of(entity.stream).describes.values() for name in described]
        asked = {
            "org_id": records.org_id,
            "entity_table": entity.table,
            "ids": entities_of(cursor, records.org_id, records.schema, entity, ids),
            "fields": fed_columns(entity, attributes, ()),
            "items": ITEMS,
        }
        for place, statements in _FORGET.items():
            counts[place] += sum(cursor.execute(each, asked).rowcount for each in statements)
    return {place: number for place, number in counts.items() if number}


def fed_columns(entity: Entity, attributes: Collection[str], relationships: Collection[str]) -> list[str]:
    """The columns of the entity with values of these attributes and relationships; custom fields may have any."""
    own = [
        name
        for name, rule in entity.columns.items()
        if not {*rule.attributes}.isdisjoint(attributes)
        or (isinstance(rule, Reference) and rule.relationship in relationships)
    ]
    return [*own, CUSTOM_FIELDS]


def _cleared(cursor: Cursor[Any], records: PersonRecords, erasure_id: str) -> Iterator[tuple[Entity, set[str]]]:
    """The rows that described the person until now, of each entity."""
    for stream in STREAMS.values():
        entity, ids = CANONICAL.entities.get(stream.name), set[str]()
        for name in PERSONAL.of(stream).describes if entity else ():
            statement = _CLEARED.format(id=sql.Literal(f"{name}_id"), type=sql.Literal(f"{name}_type"))
            for named, types in records.named_through(stream, name):
                asked = {"ids": named, "types": types, "table": stream.raw_table}
                found = cursor.execute(statement, {**asked, "org_id": records.org_id, "erasure_id": erasure_id})
                ids.update(identifier for (identifier,) in found)
        if entity and ids:
            yield entity, ids
