"""Every raw record of a person: their own, under any id they ever had, and the records that are part of these."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString

from psycopg import Cursor, sql

from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.canonical.relationships import relationship_type
from openfaith_pipeline.catalog.mergers import survivors_of
from openfaith_pipeline.catalog.personal import PersonalData
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.load.erased import streams_of_type
from openfaith_pipeline.privacy.entities import EDGES, LINKS, canonical_name, entities_of
from openfaith_pipeline.sources import CANONICAL, PERSONAL, STREAMS
from openfaith_pipeline.transform.identity import is_link_of, record_id_of

_MERGERS: Final = sql.SQL("""
SELECT {kept}, {removed} FROM {raw} WHERE org_id = %(org_id)s AND {kept} IS NOT NULL AND {removed} IS NOT NULL
ORDER BY created_at NULLS FIRST, length(id), id COLLATE "C"
""")

# A row that a rollback removed lives on in the journal.
_IN_JOURNAL: Final = sql.SQL("""
SELECT DISTINCT entry.row_key ->> 'id' FROM sync.journal AS entry
WHERE entry.org_id = %(org_id)s AND entry.table_name = {table} AND ({named})
    AND NOT EXISTS (
        SELECT FROM {raw} AS present WHERE present.org_id = %(org_id)s AND present.id = entry.row_key ->> 'id')
""")

# A row that was marked deleted for long is gone, and the journal has forgotten it: its entity stays, with its edges.
_BY_EDGES: Final = sql.SQL("""
SELECT DISTINCT {record_id} FROM {edges} AS edge
JOIN {links} AS l ON l."orgId" = edge."orgId" AND l."entityId" IN (edge."sourceEntityId", edge."targetEntityId")
    AND {is_link}
WHERE edge."orgId" = %(org_id)s AND edge."relationshipType" = ANY(%(types)s)
    AND coalesce(edge.metadata ->> 'relationshipKey', %(key)s) = %(key)s
    AND (edge."sourceEntityId" = ANY(%(ids)s) OR edge."targetEntityId" = ANY(%(ids)s))
    AND NOT EXISTS (SELECT FROM {raw} AS present WHERE present.org_id = %(org_id)s AND present.id = {record_id})
""")

# Records with a value that only records of the person's have, now or before.
_SHARING: Final = sql.SQL("""
WITH theirs AS (
    SELECT lower({other}::text) AS value FROM {others} WHERE org_id = %(org_id)s AND id = ANY(%(ids)s)
    UNION
    SELECT lower(image ->> {name}) FROM sync.journal AS entry, LATERAL (VALUES (before), (after)) AS each (image)
    WHERE org_id = %(org_id)s AND table_name = {table} AND row_key ->> 'id' = ANY(%(ids)s)
)
SELECT id FROM {raw} AS present WHERE org_id = %(org_id)s AND lower({own}::text) IN (SELECT value FROM theirs)
    AND NOT EXISTS (
        SELECT FROM {others} AS other WHERE other.org_id = %(org_id)s AND other.id <> ALL(%(ids)s)
            AND other._deleted_at IS NULL AND lower(other.{other}::text) = lower(present.{own}::text))
""")

# Households and the like: those that somebody else belongs to stay.
_EMPTIED: Final = sql.SQL("""
SELECT DISTINCT gone.{owner} FROM {members} AS gone
WHERE gone.org_id = %(org_id)s AND gone.id = ANY(%(ids)s) AND gone.{owner} IS NOT NULL AND NOT EXISTS (
    SELECT FROM {members} AS other WHERE other.org_id = %(org_id)s AND other.{owner} = gone.{owner}
        AND other.id <> ALL (%(ids)s) AND other._deleted_at IS NULL)
""")


@dataclass
class PersonRecords:
    """Ids by stream name.

    people: by adapter, the person's ids at that source, the current one first and then those merged into it.
    unnamed: ids of records that stay, but lose the person they name. searched: by stream and relationship, the
        condition that was already searched for. schema: of the OpenFaith tables. entities: by stream and ids of its
        records, those that were already looked up.
    """

    org_id: str
    schema: str
    people: Mapping[str, tuple[str, ...]]
    own: dict[str, set[str]] = field(default_factory=dict)
    unnamed: dict[str, set[str]] = field(default_factory=dict)
    searched: dict[tuple[str, str], Any] = field(default_factory=dict)
    entities: dict[tuple[str, frozenset[str]], list[str]] = field(default_factory=dict)

    @property
    def person_ids(self) -> tuple[str, ...]:
        """The person's ids at every source."""
        return tuple(identifier for ids in self.people.values() for identifier in ids)

    @property
    def streams(self) -> list[Stream]:
        return [STREAMS[name] for name in self.own]

    def ids(self, stream: Stream) -> list[str]:
        return sorted(self.own.get(stream.name, ()))

    def named_through(self, stream: Stream, relationship: str) -> Iterator[tuple[list[str], list[str] | None]]:
        """Ids that a to-one relationship may name, each with the types it names them by, None if it has no type."""
        target = stream.belongs_to[relationship]
        if target:
            if self.own.get(target):
                yield sorted(self.own[target]), None
            return
        for each in self.streams:
            types = [name for name in (each.type, *each.aliases) if each.name in streams_of_type(stream, name)]
            if types:
                yield self.ids(each), types

    def add(self, name: str, ids: Collection[str]) -> bool:
        """Add ids of a stream; returns whether any was new."""
        known = self.own.setdefault(name, set()) if ids else self.own.get(name, set())
        before = len(known)
        known.update(ids)
        return len(known) > before


def find_person(cursor: Cursor[Any], org_id: str, schema: str, name: str) -> Mapping[str, tuple[str, ...]]:
    """By adapter, the person's ids, the current ones first and then those merged into them.

    name: an id of a source, or of a person of OpenFaith, who may be linked to several sources, and to several people of
    one. Raises UsageError for an id that is not known, for one that was merged into another, and for one that people
    of several sources have.
    """
    is_ours = name.startswith(tuple(f"{_entity(data).id_prefix}_" for data in PERSONAL.by_adapter.values()))
    found = (
        _source_ids(cursor, org_id, schema, name) if is_ours else {_source_of(cursor, org_id, schema, name): (name,)}
    )
    return {adapter: _with_merged(cursor, org_id, PERSONAL.by_adapter[adapter], ids) for adapter, ids in found.items()}


def _entity(data: PersonalData) -> Entity:
    return CANONICAL.entities[data.person.name]


def _source_of(cursor: Cursor[Any], org_id: str, schema: str, person_id: str) -> str:
    """The source that has a person with this id, the first if none is known to."""
    sources = PERSONAL.by_adapter
    if len(sources) == 1:
        return next(iter(sources))
    known = [adapter for adapter, data in sources.items() if _is_known(cursor, org_id, schema, data, (person_id,))]
    if len(known) > 1:
        raise UsageError(f"{', '.join(known)} each have a person {person_id!r}; give the person's id in OpenFaith")
    return known[0] if known else next(iter(sources))


def _with_merged(cursor: Cursor[Any], org_id: str, data: PersonalData, ids: Sequence[str]) -> tuple[str, ...]:
    survivors = survivors_of(_mergers(cursor, org_id, data))
    for person_id in ids:
        if person_id in survivors:
            raise UsageError(f"person {person_id} was merged into {survivors[person_id]}; name that one instead")
    merged = [removed for removed, kept in survivors.items() if kept in ids]
    return (*ids, *sorted(merged))


def check_known(cursor: Cursor[Any], records: PersonRecords) -> None:
    """Raise UsageError if nothing at all is stored of the person."""
    for adapter, ids in records.people.items():
        if _is_known(cursor, records.org_id, records.schema, PERSONAL.by_adapter[adapter], ids):
            return
    if not any(ids for name, ids in records.own.items() if not PERSONAL.is_person(name)):
        raise UsageError(f"nothing is stored about a person {records.person_ids[0]!r} in {records.org_id}")


def _is_known(cursor: Cursor[Any], org_id: str, schema: str, data: PersonalData, ids: Collection[str]) -> bool:
    """Whether there is a row, an entry in the journal, or an entity of one of these people."""
    for stream in data.people:
        statement = sql.SQL("SELECT FROM {} WHERE org_id = %s AND id = ANY(%s) LIMIT 1").format(raw_name(stream))
        if cursor.execute(statement, (org_id, list(ids))).fetchone() is not None:
            return True
    entry = cursor.execute(
        "SELECT FROM sync.journal WHERE org_id = %s AND table_name = %s AND row_key ->> 'id' = ANY(%s) LIMIT 1",
        (org_id, data.person.raw_table, list(ids)),
    ).fetchone()
    return entry is not None or _has_entity(cursor, org_id, schema, _entity(data), ids)


def _has_entity(cursor: Cursor[Any], org_id: str, schema: str, entity: Entity, ids: Collection[str]) -> bool:
    found = entities_of(cursor, org_id, schema, entity, ids)
    statement = sql.SQL('SELECT FROM {} WHERE "orgId" = %s AND id = ANY(%s) LIMIT 1').format(
        canonical_name(schema, entity.table)
    )
    return bool(found) and cursor.execute(statement, (org_id, found)).fetchone() is not None


def find_records(cursor: Cursor[Any], org_id: str, schema: str, people: Mapping[str, tuple[str, ...]]) -> PersonRecords:
    """All records of the person."""
    records = PersonRecords(org_id, schema, people)
    for adapter, ids in people.items():
        for stream in PERSONAL.by_adapter[adapter].people:
            records.add(stream.name, ids)
    add_parts(cursor, records)
    return records


def add_parts(cursor: Cursor[Any], records: PersonRecords) -> None:
    """Add every record that is erased with the known ones."""
    _add_parts(cursor, records)
    _add_unnamed(cursor, records)
    _add_parts(cursor, records)


def condition_of(
    row: str, stream: Stream, relationship: str, records: PersonRecords, parameters: dict[str, Any]
) -> sql.Composable | None:
    """SQL: whether a relationship of row alias `row` names a record of the person; None if it cannot."""
    parts = []
    for ids, types in records.named_through(stream, relationship):
        number = len(parameters)
        parameters[f"p{number}"] = ids
        part = sql.SQL("{} = ANY({})").format(sql.Identifier(row, f"{relationship}_id"), sql.Placeholder(f"p{number}"))
        if types:
            parameters[f"t{number}"] = types
            kind = sql.Identifier(row, f"{relationship}_type")
            part = sql.SQL("({} AND {} = ANY({}))").format(part, kind, sql.Placeholder(f"t{number}"))
        parts.append(part)
    return sql.SQL("({})").format(sql.SQL(" OR ").join(parts)) if parts else None


def _source_ids(cursor: Cursor[Any], org_id: str, schema: str, entity_id: str) -> Mapping[str, tuple[str, ...]]:
    """By adapter, the source's ids of a person of OpenFaith: several people may have been made one there."""
    found: dict[str, tuple[str, ...]] = {}
    for adapter, data in PERSONAL.by_adapter.items():
        entity = _entity(data)
        links = cursor.execute(
            sql.SQL(
                'SELECT "externalId" FROM {} WHERE "orgId" = %s AND "entityId" = %s AND "entityType" = %s'
                ' AND adapter = %s ORDER BY length("externalId"), "externalId"'
            ).format(canonical_name(schema, LINKS)),
            (org_id, entity_id, entity.tag, adapter),
        ).fetchall()
        ids = [external.removeprefix(entity.namespace) for (external,) in links]
        survivors = survivors_of(_mergers(cursor, org_id, data))
        current = tuple(identifier for identifier in ids if identifier not in survivors)
        found.update({adapter: current} if current else {})
    if not found:
        raise UsageError(f"no person {entity_id[:80]!r} is linked to a record of the source in {org_id}")
    return found


def _mergers(cursor: Cursor[Any], org_id: str, data: PersonalData) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for stream in STREAMS.values():
        if stream.merging and stream.merging.target == data.person.name:
            statement = _MERGERS.format(
                kept=sql.Identifier(stream.merging.kept),
                removed=sql.Identifier(stream.merging.removed),
                raw=raw_name(stream),
            )
            found += cursor.execute(statement, {"org_id": org_id}).fetchall()
    return found


def _add_parts(cursor: Cursor[Any], records: PersonRecords) -> None:
    """Add the parts of the person's records, until nothing more is found."""
    has_grown = True
    while has_grown:
        has_grown = False
        for name, personal in PERSONAL.personal.items():
            stream = STREAMS[name]
            for relationship in personal.erased_with:
                has_grown |= _add_through(cursor, records, stream, relationship)
            if personal.members and (members := records.own.get(personal.members)):
                has_grown |= _add_emptied(cursor, records, stream, STREAMS[personal.members], members)
            for attribute, (other, its_attribute) in personal.shares.items():
                if records.own.get(other):
                    has_grown |= _add_sharing(cursor, records, (stream, attribute), (STREAMS[other], its_attribute))


def _add_through(cursor: Cursor[Any], records: PersonRecords, stream: Stream, relationship: str) -> bool:
    parameters: dict[str, Any] = {"org_id": records.org_id}
    condition = condition_of("present", stream, relationship, records, parameters)
    if condition is None or records.searched.get((stream.name, relationship)) == parameters:
        return False
    records.searched[stream.name, relationship] = parameters
    found = _ids(
        cursor,
        sql.SQL("SELECT id FROM {} AS present WHERE org_id = %(org_id)s AND {}").format(raw_name(stream), condition),
        parameters,
    )
    named = sql.SQL(" OR ").join(
        sql.SQL("entry.{} ->> {} = ANY({})").format(
            sql.Identifier(image), sql.Literal(f"{relationship}_id"), sql.Placeholder(name)
        )
        for image in ("before", "after")
        for name in parameters
        if name.startswith("p")
    )
    removed = _IN_JOURNAL.format(table=sql.Literal(stream.raw_table), named=named, raw=raw_name(stream))
    found += _ids(cursor, removed, parameters)
    return records.add(stream.name, [*found, *_through_edges(cursor, records, stream, relationship)])


def _through_edges(cursor: Cursor[Any], records: PersonRecords, stream: Stream, relationship: str) -> list[str]:
    """Records without a row, with entities that are joined to the person's by this relationship."""
    target = stream.belongs_to[relationship] or ""
    entity, named = CANONICAL.entities.get(stream.name), CANONICAL.known.get(target)
    if entity is None or named is None:
        return []
    asked = {
        "org_id": records.org_id,
        "key": relationship,
        "types": [
            relationship_type(entity.tag, relationship, named.tag),
            relationship_type(named.tag, relationship, entity.tag),
        ],
        "ids": _own_entities(cursor, records, named, records.own.get(target, ())),
    }
    statement = _BY_EDGES.format(
        record_id=record_id_of(entity, "l"),
        edges=canonical_name(records.schema, EDGES),
        links=canonical_name(records.schema, LINKS),
        is_link=is_link_of(entity, "l"),
        raw=raw_name(stream),
    )
    return _ids(cursor, statement, asked)


def _own_entities(cursor: Cursor[Any], records: PersonRecords, entity: Entity, ids: Collection[str]) -> list[str]:
    """Looked up once: most relationships name the same person."""
    known, asked = records.entities, (entity.stream.name, frozenset(ids))
    if asked not in known:
        known[asked] = entities_of(cursor, records.org_id, records.schema, entity, ids)
    return known[asked]


def _add_sharing(
    cursor: Cursor[Any], records: PersonRecords, own: tuple[Stream, str], other: tuple[Stream, str]
) -> bool:
    """Add records that have the value of an attribute of the person's records, and of nobody else's."""
    (stream, attribute), (others, its_attribute) = own, other
    statement = _SHARING.format(
        raw=raw_name(stream),
        own=sql.Identifier(attribute),
        others=raw_name(others),
        other=sql.Identifier(its_attribute),
        name=sql.Literal(its_attribute),
        table=sql.Literal(others.raw_table),
    )
    return records.add(stream.name, _ids(cursor, statement, {"org_id": records.org_id, "ids": records.ids(others)}))


def _add_emptied(
    cursor: Cursor[Any], records: PersonRecords, stream: Stream, members: Stream, gone: Collection[str]
) -> bool:
    owner = next(name for name, target in members.belongs_to.items() if target == stream.name)
    statement = _EMPTIED.format(owner=sql.Identifier(f"{owner}_id"), members=raw_name(members))
    return records.add(stream.name, _ids(cursor, statement, {"org_id": records.org_id, "ids": list(gone)}))


def _add_unnamed(cursor: Cursor[Any], records: PersonRecords) -> None:
    """Note records that lose the person they name, and add the parts that are erased with them."""
    for name, personal in PERSONAL.personal.items():
        for relationship in personal.erased_once_unnamed:
            target = STREAMS[STREAMS[name].belongs_to[relationship] or ""]
            unnamed = records.unnamed.setdefault(target.name, set())
            unnamed.update(_naming(cursor, records, target))
            statement = sql.SQL("SELECT id FROM {} WHERE org_id = %(org_id)s AND {} = ANY(%(ids)s)").format(
                raw_name(STREAMS[name]), sql.Identifier(f"{relationship}_id")
            )
            records.add(name, _ids(cursor, statement, {"org_id": records.org_id, "ids": sorted(unnamed)}))


def _naming(cursor: Cursor[Any], records: PersonRecords, stream: Stream) -> list[str]:
    """Ids of the stream's records whose described person is erased."""
    parameters: dict[str, Any] = {"org_id": records.org_id}
    conditions = [condition_of("present", stream, name, records, parameters) for name in PERSONAL.of(stream).describes]
    named = [each for each in conditions if each is not None]
    statement = sql.SQL("SELECT id FROM {} AS present WHERE org_id = %(org_id)s AND ({})").format(
        raw_name(stream), sql.SQL(" OR ").join(named)
    )
    return _ids(cursor, statement, parameters) if named else []


def _ids(
    cursor: Cursor[Any], statement: sql.Composed, parameters: Mapping[LiteralString, Any] | dict[str, Any]
) -> list[str]:
    return [identifier for (identifier,) in cursor.execute(statement, dict(parameters)).fetchall()]
