"""Removal of a person's entities from the OpenFaith tables: rows, links, edges, and references to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Cursor, sql
from sqlalchemy import Text

from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX, canonical_metadata
from openfaith_pipeline.journal.tables import canonical_rows
from openfaith_pipeline.journal.writing import journaled
from openfaith_pipeline.privacy.entities import EDGES, LINKS, canonical_name, entities_of
from openfaith_pipeline.privacy.person_records import PersonRecords
from openfaith_pipeline.privacy.raw_rows import CLEARED
from openfaith_pipeline.sources import CANONICAL, STREAMS
from openfaith_pipeline.transform.changes import be_quiet


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


def find_entities(cursor: Cursor[Any], records: PersonRecords) -> PersonEntities:
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
        found = entities_of(cursor, records.org_id, records.schema, entity, ids)
        by_table.setdefault(entity.table, set()).update(found)
    return PersonEntities(records.schema, by_table, links)


def remove_entities(cursor: Cursor[Any], org_id: str, entities: PersonEntities, erasure_id: str) -> dict[str, int]:
    """Remove the rows, their links and edges, and clear columns that name them; returns counts by table."""
    be_quiet(cursor, is_quiet=True)
    counts = {
        f"{CANONICAL_PREFIX}{table}": _delete(cursor, entities.schema, table, org_id, ("id",), sorted(ids))
        for table, ids in entities.by_table.items()
    }
    counts[f"{CANONICAL_PREFIX}{LINKS}"] = _remove_links(cursor, org_id, entities)
    ends = ("sourceEntityId", "targetEntityId")
    counts[f"{CANONICAL_PREFIX}{EDGES}"] = _delete(cursor, entities.schema, EDGES, org_id, ends, entities.ids)
    for table in canonical_metadata(entities.schema).tables.values():
        name = table.name.removeprefix(CANONICAL_PREFIX)
        if name not in {LINKS, EDGES} and "id" in table.c:
            columns = [column.name for column in table.c if isinstance(column.type, Text) and column.nullable]
            counts[CLEARED + table.name] = _clear(cursor, org_id, entities, name, columns, erasure_id)
    be_quiet(cursor, is_quiet=False)
    return {table: number for table, number in counts.items() if number}


def _remove_links(cursor: Cursor[Any], org_id: str, entities: PersonEntities) -> int:
    number = _delete(cursor, entities.schema, LINKS, org_id, ("entityId",), entities.ids)
    for (adapter, tag), external in entities.links.items():
        statement = sql.SQL(
            'DELETE FROM {} WHERE "orgId" = %s AND adapter = %s AND "entityType" = %s AND "externalId" = ANY(%s)'
        ).format(canonical_name(entities.schema, LINKS))
        number += cursor.execute(statement, (org_id, adapter, tag, sorted(external))).rowcount
    return number


def _delete(cursor: Cursor[Any], schema: str, table: str, org_id: str, columns: tuple[str, ...], ids: list[str]) -> int:
    named = sql.SQL(" OR ").join(sql.SQL("{} = ANY(%(ids)s)").format(sql.Identifier(column)) for column in columns)
    name = canonical_name(schema, table)
    statement = sql.SQL('DELETE FROM {} WHERE "orgId" = %(org_id)s AND ({})').format(name, named)
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
        canonical_name(entities.schema, table), sql.SQL(", ").join(cleared), sql.SQL(" OR ").join(named)
    )
    asked = {"org_id": org_id, "ids": entities.ids, "sync_id": erasure_id, "cause": "erasure"}
    return cursor.execute(journaled(canonical_rows(entities.schema, table), write), asked).rowcount
