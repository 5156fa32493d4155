"""The entities of a person's records, also those that they had before."""

from collections.abc import Collection
from typing import Any, Final

from psycopg import Cursor, sql

from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX

LINKS: Final = "externalLinks"
EDGES: Final = "edges"

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


def entities_of(cursor: Cursor[Any], org_id: str, schema: str, entity: Entity, ids: Collection[str]) -> list[str]:
    """The ids of the entities of records of this entity's stream."""
    statement = _ENTITIES.format(links=canonical_name(schema, LINKS), table=canonical_name(schema, entity.table))
    found = cursor.execute(
        statement,
        {
            "org_id": org_id,
            "adapter": entity.stream.adapter,
            "tag": entity.tag,
            "external": [entity.namespace + identifier for identifier in ids],
            "links": f"{schema}.{CANONICAL_PREFIX}{LINKS}",
            "ids": list(ids),
            "stream": entity.stream.name,
        },
    ).fetchall()
    return [identifier for (identifier,) in found]


def canonical_name(schema: str, table: str) -> sql.Identifier:
    return sql.Identifier(schema, f"{CANONICAL_PREFIX}{table}")
