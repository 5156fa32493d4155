"""Removal of a person's entities from the OpenFaith tables: rows, links, edges, and references to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Cursor, sql
from sqlalchemy import Text

from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX, canonical_metadata
from openfaith_pipeline.journal.tables import canonical_rows
from openfaith_pipeline.journal.writing import journaled
from openfaith_pipeline.privacy.person_records import PersonRecords
from openfaith_pipeline.privacy.raw_rows import CLEARED
from openfaith_pipeline.sources import CANONICAL, STREAMS
from openfaith_pipeline.transform.changes import be_quiet

_LINKS: Final = "externalLinks"
_EDGES: Final = "edges"

# The entity of a record that was merged away no longer has a link: the journal and its own `externalIds` name it.
_ENTITIES: Final = sql.SQL("""
SELECT "entityId" FROM {links}
WHERE "orgId" = %(org_id)s AND adapter = %(adapter)s AND "entityType" = %(tag)s AND "externalId" = ANY(%(external)s)
UNION
SELECT image ->> 'entityId' FROM sync.journal AS entry, LATERAL (VALUES (entry.before), (entry.after)) AS each (image)
WHERE entry.org_id = %(org_id)s AND entry.table_name = %(links)s AND image ->> 'entityId' IS NOT NULL
    AND entry.row_key ->> 'adapter' = %(adapter)s AND entry.row_key ->> 'entityType' = %(tag)s
    AND entry.row_key ->> 'externalId' = ANY(%(external)s)
UNION
SELECT row.id FROM {table} AS row, jsonb_array_elements(CASE WHEN jsonb_typeof(row."externalIds") = 'array'
    THEN row."externalIds" ELSE '[]' END) AS item
WHERE row."orgId" = %(org_id)s AND item ->> 'type' = %(adapter)s AND item ->> 'id' = ANY(%(ids)s)
    AND coalesce(item ->> 'stream', %(stream)s) = %(stream)s
""")


@dataclass(frozen=True)
class PersonEntities:
    """The entities of the person's records.

    by_table: names after `openfaith_` -> ids. links: (adapter, tag) -> external ids.
    """

    schema: str
    by_table: Mapping[str, set[str]]
    links: Mapping[tuple[str, str], set[str]]

    @property
    def ids(self) -> list[str]:
        return sorted(identifier for ids in self.by_table.values() for identifier in ids)


def find_entities(cursor: Cursor[Any], records: PersonRecords, schema: str) -> PersonEntities:
    """The entities of all records of the person, including those they had before."""
    by_table: dict[str, set[str]] = {}
    links: dict[tuple[str, str], set[str]] = {}
    for name, ids in records.own.items():
        entity = CANONICAL.known.get(name)
        if entity is None or not ids:
            continue
        adapter = STREAMS[name].adapter
        external = {entity.namespace + identifier for identifier in ids}
        links.setdefault((adapter, entity.tag), set()).update(external)
        by_table.setdefault(entity.table, set()).update(_entities(cursor, records.org_id, schema, entity, ids))
    return PersonEntities(schema, by_table, links)


def remove_entities(cursor: Cursor[Any], org_id: str, entities: PersonEntities, erasure_id: str) -> dict[str, int]:
    """Remove the rows, their links and edges, and clear columns that name them; returns counts by table."""
    be_quiet(cursor, is_quiet=True)
    counts = {
        f"{CANONICAL_PREFIX}{table}": _delete(cursor, entities.schema, table, org_id, ("id",), sorted(ids))
        for table, ids in entities.by_table.items()
    }
    counts[f"{CANONICAL_PREFIX}{_LINKS}"] = _remove_links(cursor, org_id, entities)
    ends = ("sourceEntityId", "targetEntityId")
    counts[f"{CANONICAL_PREFIX}{_EDGES}"] = _delete(cursor, entities.schema, _EDGES, org_id, ends, entities.ids)
    for table in canonical_metadata(entities.schema).tables.values():
        name = table.name.removeprefix(CANONICAL_PREFIX)
        if name not in {_LINKS, _EDGES} and "id" in table.c:
            columns = [column.name for column in table.c if isinstance(column.type, Text) and column.nullable]
            counts[CLEARED + table.name] = _clear(cursor, org_id, entities, name, columns, erasure_id)
    be_quiet(cursor, is_quiet=False)
    return {table: number for table, number in counts.items() if number}


def _entities(cursor: Cursor[Any], org_id: str, schema: str, entity: Entity, ids: set[str]) -> list[str]:
    statement = _ENTITIES.format(links=_table(schema, _LINKS), table=_table(schema, entity.table))
    found = cursor.execute(
        statement,
        {
            "org_id": org_id,
            "adapter": entity.stream.adapter,
            "tag": entity.tag,
            "external": [entity.namespace + identifier for identifier in ids],
            "links": f"{schema}.{CANONICAL_PREFIX}{_LINKS}",
            "ids": list(ids),
            "stream": entity.stream.name,
        },
    ).fetchall()
    return [identifier for (identifier,) in found]


def _remove_links(cursor: Cursor[Any], org_id: str, entities: PersonEntities) -> int:
    number = _delete(cursor, entities.schema, _LINKS, org_id, ("entityId",), entities.ids)
    for (adapter, tag), external in entities.links.items():
        statement = sql.SQL(
            'DELETE FROM {} WHERE "orgId" = %s AND adapter = %s AND "entityType" = %s AND "externalId" = ANY(%s)'
        ).format(_table(entities.schema, _LINKS))
        number += cursor.execute(statement, (org_id, adapter, tag, sorted(external))).rowcount
    return number


def _delete(cursor: Cursor[Any], schema: str, table: str, org_id: str, columns: tuple[str, ...], ids: list[str]) -> int:
    named = sql.SQL(" OR ").join(sql.SQL("{} = ANY(%(ids)s)").format(sql.Identifier(column)) for column in columns)
    statement = sql.SQL('DELETE FROM {} WHERE "orgId" = %(org_id)s AND ({})').format(_table(schema, table), named)
    return cursor.execute(statement, {"org_id": org_id, "ids": ids}).rowcount


def _clear(
    cursor: Cursor[Any], org_id: str, entities: PersonEntities, table: str, columns: list[str], erasure_id: str
) -> int:
    """Clear the columns that name one of the entities."""
    if not columns:
        return 0
    named = [sql.SQL("target.{} = ANY(%(ids)s)").format(sql.Identifier(column)) for column in columns]
    cleared = [
        sql.SQL("{0} = CASE WHEN {1} THEN NULL ELSE target.{0} END").format(sql.Identifier(column), condition)
        for column, condition in zip(columns, named, strict=True)
    ]
    write = sql.SQL('UPDATE {} AS target SET {} WHERE "orgId" = %(org_id)s AND ({})').format(
        _table(entities.schema, table), sql.SQL(", ").join(cleared), sql.SQL(" OR ").join(named)
    )
    asked = {"org_id": org_id, "ids": entities.ids, "sync_id": erasure_id, "cause": "erasure"}
    return cursor.execute(journaled(canonical_rows(entities.schema, table), write), asked).rowcount


def _table(schema: str, name: str) -> sql.Identifier:
    return sql.Identifier(schema, f"{CANONICAL_PREFIX}{name}")
