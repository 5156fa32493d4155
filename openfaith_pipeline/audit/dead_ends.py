"""OpenFaith rows that lead nowhere, or to the wrong place: entities, links and edges whose other end is not there.

OpenFaith's own engine leaves such rows in a database that is shared with it: its key of links lacks the type, so that
two records of one id become one entity; it marks no deletion; it finds a login's person by e-mail in any org. Rows of
people, without an external id of ours, are left alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql

from openfaith_pipeline.audit.findings import Kind
from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.canonical.registry import CanonicalTable
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.transform import edges, links
from openfaith_pipeline.transform.identity import ids_of_sources, is_link_of, record_id_of

Connection = psycopg.Connection[Any]
Row = dict[str, Any]

USER_IS_PERSON: Final = "user-is-person"

# An entity of a record has a link of its own type. Without any it is alone; with one of another type it is joined.
_STRAY: Final = """
SELECT e.id, EXISTS (SELECT FROM {links} AS o WHERE o."orgId" = e."orgId" AND o.adapter = ANY(%(adapters)s)
    AND o."entityId" = e.id) AS is_joined
FROM {table} AS e WHERE e."orgId" = %(org_id)s AND e."deletedAt" IS NULL
  AND NOT EXISTS (SELECT FROM {links} AS l WHERE l."orgId" = e."orgId" AND l.adapter = ANY(%(adapters)s)
      AND l."entityId" = e.id AND l."entityType" = {tag})
  AND (e."externalIds" @> ANY({ids}::jsonb[])
      OR EXISTS (SELECT FROM {links} AS o WHERE o."orgId" = e."orgId" AND o.adapter = ANY(%(adapters)s)
          AND o."entityId" = e.id))
ORDER BY e.id
"""
_OF_OTHER_ORG: Final = """
SELECT l.adapter, l."entityType" AS type, l."externalId" AS id
FROM {links} AS l JOIN {table} AS e ON e.id = l."entityId"
WHERE l."orgId" = %(org_id)s AND l.adapter = ANY(%(adapters)s) AND l."entityType" = {tag} AND e."orgId" <> l."orgId"
ORDER BY 1, 2, 3
"""
_WITHOUT_ENTITY: Final = """
SELECT l.adapter, l."entityType" AS type, l."externalId" AS id FROM {links} AS l
WHERE l."orgId" = %(org_id)s AND {is_link} AND l."deletedAt" IS NULL
  AND NOT EXISTS (SELECT FROM {table} AS e WHERE e.id = l."entityId")
  AND EXISTS (SELECT FROM {raw} AS r WHERE r.org_id = l."orgId" AND r.id = {record_id} AND r._deleted_at IS NULL)
ORDER BY 1, 2
"""
# A record that a listing has proven gone has a raw row. Without any the record was never seen: either it was deleted
# before the first sync, or the stream was not read whole since. A record in quarantine was seen. A stream that is
# silent may hide its records: that none was listed proves nothing.
_NOT_AT_SOURCE: Final = """
SELECT e.id, bool_or({record_id} = ANY(state.left_behind)) AS is_quarantined,
    bool_and(l."lastProcessedAt" < state.last_full_at AND state.is_whole) IS TRUE AS is_proven,
    min({record_id}) AS record_id
FROM {links} AS l JOIN {table} AS e ON e.id = l."entityId" AND e."orgId" = l."orgId"
JOIN (SELECT last_full_at, availability = 'available' AND left_out IS NULL AS is_whole,
          ARRAY(SELECT record_id FROM sync.quarantine WHERE quarantine.org_id = %(org_id)s
              AND quarantine.stream = {stream} AND resolved_at IS NULL AND field IS NULL) AS left_behind
      FROM sync.stream_states WHERE org_id = %(org_id)s AND stream = {stream}
          AND last_succeeded_at IS NOT NULL) AS state ON true
WHERE l."orgId" = %(org_id)s AND {is_link} AND e."deletedAt" IS NULL
  AND NOT EXISTS (SELECT FROM {raw} AS r WHERE r.org_id = l."orgId" AND r.id = {record_id})
  AND NOT ({has_record})
GROUP BY e.id ORDER BY e.id
"""
_HAS_RECORD: Final = """
EXISTS (SELECT FROM {links} AS o JOIN {raw} AS r ON r.org_id = o."orgId" AND r.id = {record_id}
    WHERE o."orgId" = %(org_id)s AND o."entityId" = e.id AND {is_link})
"""
_EDGES: Final = """
SELECT edge."sourceEntityId" AS source, edge."targetEntityId" AS target, edge."relationshipType" AS type, {has_both} AS
    is_joined
FROM {edges} AS edge
WHERE edge."orgId" = %(org_id)s AND edge."deletedAt" IS NULL AND edge.metadata ->> 'source' = ANY(%(sources)s) AND (
    NOT EXISTS (SELECT FROM {links} AS l WHERE l."orgId" = edge."orgId" AND l."entityId" = edge."sourceEntityId"
        AND l."entityType" = edge."sourceEntityTypeTag")
    OR NOT EXISTS (SELECT FROM {links} AS l WHERE l."orgId" = edge."orgId" AND l."entityId" = edge."targetEntityId"
        AND l."entityType" = edge."targetEntityTypeTag"))
ORDER BY 1, 3, 2
"""
_HAS_BOTH: Final = """
EXISTS (SELECT FROM {links} AS l WHERE l."orgId" = edge."orgId" AND l."entityId" = edge."sourceEntityId")
AND EXISTS (SELECT FROM {links} AS l WHERE l."orgId" = edge."orgId" AND l."entityId" = edge."targetEntityId")
"""
_LOGINS: Final = """
SELECT edge."sourceEntityId" AS source, edge."targetEntityId" AS target, edge."relationshipType" AS type
FROM {edges} AS edge
WHERE edge."orgId" = %(org_id)s AND edge."deletedAt" IS NULL AND edge."relationshipType" = %(type)s AND (
    EXISTS (SELECT FROM {people} AS p WHERE p.id IN (edge."sourceEntityId", edge."targetEntityId")
        AND p."orgId" <> edge."orgId") OR {is_of_other_org})
ORDER BY 1, 3, 2
"""
# A login without any membership is no other org's.
_MEMBERS: Final = """
EXISTS (SELECT FROM {members} AS m WHERE m."userId" IN (edge."sourceEntityId", edge."targetEntityId"))
AND NOT EXISTS (SELECT FROM {members} AS m WHERE m."orgId" = edge."orgId"
    AND m."userId" IN (edge."sourceEntityId", edge."targetEntityId"))
"""


@dataclass(frozen=True)
class DeadEnd:
    """A row that leads nowhere. place: the table. key: of the row, without the org.

    stream, record_id: the entity's record, if the kind is NOT_AT_SOURCE or UNPROVEN. adapter: of a link.
    """

    kind: Kind
    place: str
    key: tuple[str, ...]
    stream: str | None = None
    record_id: str | None = None
    adapter: str = ""

    @property
    def name(self) -> str:
        """The name used in reports: for an edge, its source, type and target."""
        if self.place == edges.TABLE:
            source, target, type_ = self.key
            return f"{source} {type_} {target}"
        return " ".join(self.key)


@dataclass(frozen=True)
class DeadEnds:
    """Finds the dead ends of one org. The connection must return rows as dictionaries."""

    connection: Connection
    org_id: str
    schema: str

    def of_parity(self) -> Iterator[DeadEnd]:
        """Differences from the source that a transform does not show."""
        return (each for each in self._of_records() if each.kind is not Kind.UNPROVEN)

    def all(self) -> Iterator[DeadEnd]:
        """Dead ends, including records that may be gone, links without entities, and logins of another org's person."""
        yield from self._of_records()
        for entity in CANONICAL.entities.values():
            yield from self._without_entity(entity)
        yield from self._logins()

    def _of_records(self) -> Iterator[DeadEnd]:
        for table in CANONICAL.tables.values():
            yield from self._strays(table)
            yield from self._links_to_others(table)
            yield from self._not_at_source(table)
        yield from self._edges()

    def _strays(self, table: CanonicalTable) -> Iterator[DeadEnd]:
        ids = sql.Literal(ids_of_sources(table))
        for row in self._rows(_STRAY, table=self._name(table.name), tag=sql.Literal(table.tag), ids=ids):
            yield DeadEnd(Kind.JOINED if row["is_joined"] else Kind.WITHOUT_LINK, table.name, (row["id"],))

    def _links_to_others(self, table: CanonicalTable) -> Iterator[DeadEnd]:
        for row in self._rows(_OF_OTHER_ORG, table=self._name(table.name), tag=sql.Literal(table.tag)):
            yield DeadEnd(Kind.OTHER_ORG, links.TABLE, (row["type"], row["id"]), adapter=row["adapter"])

    def _not_at_source(self, table: CanonicalTable) -> Iterator[DeadEnd]:
        has_record = sql.SQL(" OR ").join(self._has_record(entity) for entity in table.entities)
        for entity in table.entities:
            for row in self._rows(_NOT_AT_SOURCE, **self._of(entity), has_record=has_record):
                kind = Kind.NOT_AT_SOURCE if row["is_proven"] else Kind.UNPROVEN
                if not row["is_quarantined"]:
                    yield DeadEnd(kind, table.name, (row["id"],), entity.stream.name, row["record_id"])

    def _without_entity(self, entity: Entity) -> Iterator[DeadEnd]:
        for row in self._rows(_WITHOUT_ENTITY, **self._of(entity)):
            yield DeadEnd(Kind.WITHOUT_ENTITY, links.TABLE, (row["type"], row["id"]), adapter=row["adapter"])

    def _edges(self) -> Iterator[DeadEnd]:
        has_both = sql.SQL(_HAS_BOTH).format(links=self._name(links.TABLE))
        for row in self._rows(_EDGES, edges=self._name(edges.TABLE), has_both=has_both):
            kind = Kind.JOINED if row["is_joined"] else Kind.TO_NOTHING
            yield DeadEnd(kind, edges.TABLE, (row["source"], row["target"], row["type"]))

    def _logins(self) -> Iterator[DeadEnd]:
        parts = {"edges": self._name(edges.TABLE), "people": self._name("people")}
        is_of_other_org: sql.Composable = sql.SQL("false")
        if self._is_there("orgUsers"):
            is_of_other_org = sql.SQL(_MEMBERS).format(members=self._name("orgUsers"))
        for row in self._rows(_LOGINS, **parts, is_of_other_org=is_of_other_org):
            yield DeadEnd(Kind.LOGIN_OF_OTHER_ORG, edges.TABLE, (row["source"], row["target"], row["type"]))

    def _has_record(self, entity: Entity) -> sql.Composed:
        return sql.SQL(_HAS_RECORD).format(
            links=self._name(links.TABLE),
            raw=raw_name(entity.stream),
            record_id=record_id_of(entity, "o"),
            is_link=is_link_of(entity, "o"),
        )

    def _of(self, entity: Entity) -> dict[str, sql.Composable]:
        return {
            "table": self._name(entity.table),
            "raw": raw_name(entity.stream),
            "stream": sql.Literal(entity.stream.name),
            "record_id": record_id_of(entity, "l"),
            "is_link": is_link_of(entity, "l"),
        }

    def _rows(self, statement: str, **parts: sql.Composable) -> list[Row]:
        composed = sql.SQL(statement).format(links=self._name(links.TABLE), **parts)
        adapters = {"adapters": list(CANONICAL.adapters), "sources": edges.OURS}
        values = {"org_id": self.org_id, **adapters, "type": USER_IS_PERSON}
        return self.connection.execute(composed, values, prepare=False).fetchall()

    def _is_there(self, table: str) -> bool:
        name = self._name(table).as_string(None)
        [row] = self.connection.execute("SELECT to_regclass(%s) IS NOT NULL AS found", (name,)).fetchall()
        return bool(row["found"])

    def _name(self, table: str) -> sql.Identifier:
        return sql.Identifier(self.schema, f"{CANONICAL_PREFIX}{table}")
