"""Which records a partial transform looks at: those that changed, and all whose rows, links or edges follow from them.

`pg_temp.transform_scope` has them by stream and id. It is closed under everything one canonical row is derived from:
the records that share an entity, and the people that any mergers connect, in whatever order these count.
`pg_temp.transform_owners` has the records with edges to look at: those, and the records that point to them. For a
stream of records that are edges it has the ids of their near ends.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from psycopg import sql

from openfaith_pipeline.canonical.model import Entity, Field
from openfaith_pipeline.canonical.relationships import Relationship, is_listed_by_owner, is_named_by_owner
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.database.change_notes import EDGES, LINKS, records_of
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.transform.deletion import deleted_by_person
from openfaith_pipeline.transform.holding import holding
from openfaith_pipeline.transform.identity import is_id_of, is_link_of, link_of, record_id_of, stream_and_record_of
from openfaith_pipeline.transform.workspace import MOVED, OWNERS, SCOPE, Workspace

LARGEST: Final = 20_000
"""Records; of a church of 60,000 people to follow so many costs two thirds of comparing everything (benchmark e)."""

_TABLE: Final = sql.SQL("(stream text, id text, PRIMARY KEY (stream, id)) ON COMMIT DROP")


def create_scope(workspace: Workspace, sources: frozenset[str]) -> int:
    """Fill `transform_scope` from the notes of these sources; returns how many records it has.

    The near ends of changed edge records are in `transform_owners` already. Needs `transform_kin` of the mergers.
    """
    workspace.create(SCOPE, _TABLE)
    workspace.create(OWNERS, _TABLE)
    workspace.create(MOVED, sql.SQL("(stream text, id text) ON COMMIT DROP"))
    for seed in _seeds(workspace, sources):
        _add(workspace, SCOPE, seed)
    for seed in _edge_seeds(workspace, sources):
        _add(workspace, OWNERS, seed)
    _close(workspace)
    for referring in _referring(workspace, of_records=True):
        _add(workspace, OWNERS, referring)
    workspace.analyze(SCOPE)
    workspace.analyze(OWNERS)
    return workspace.count(
        sql.SQL(
            "SELECT (SELECT count(*) FROM pg_temp.transform_scope) + (SELECT count(*) FROM pg_temp.transform_owners)"
        )
    )


def create_owners(workspace: Workspace) -> None:
    """Fill `transform_owners`, after the links are as they are wanted."""
    _add(workspace, OWNERS, sql.SQL("SELECT stream, id FROM pg_temp.transform_scope"))
    _find_moved(workspace)
    moved = streams_in(workspace, MOVED)
    for relationship in CANONICAL.relationships:
        if relationship.is_edge:
            for pointing in _pointing(workspace, relationship, moved):
                _add(workspace, OWNERS, pointing)
    for entity in _entities_in(workspace, OWNERS):
        _add(workspace, OWNERS, _siblings(workspace, OWNERS, entity))
    workspace.analyze(OWNERS)


def streams_in(workspace: Workspace, records: str) -> frozenset[str]:
    """The streams that this list has records of."""
    table = sql.Identifier("pg_temp", records)
    return frozenset(name for (name,) in workspace.rows(sql.SQL("SELECT DISTINCT stream FROM {}").format(table)))


def _close(workspace: Workspace) -> None:
    added = 1
    while added:
        added = _add(workspace, SCOPE, _KIN)
        for entity in _entities_in(workspace, SCOPE):
            added += _add(workspace, SCOPE, _siblings(workspace, SCOPE, entity))
        added += sum(_add(workspace, SCOPE, referring) for referring in _referring(workspace, of_records=False))


def _entities_in(workspace: Workspace, records: str) -> list[Entity]:
    return [CANONICAL.entities[name] for name in streams_in(workspace, records) if name in CANONICAL.entities]


def _add(workspace: Workspace, table: str, records: sql.Composable) -> int:
    statement = sql.SQL("INSERT INTO {} (stream, id) {} ON CONFLICT DO NOTHING")
    return workspace.execute(statement.format(sql.Identifier("pg_temp", table), records))


def _seeds(workspace: Workspace, sources: frozenset[str]) -> Iterator[sql.Composable]:
    streams = sorted(sources & CANONICAL.entities.keys())
    if streams:
        yield sql.SQL("SELECT source, key[1] FROM pg_temp.transform_notes WHERE source = ANY({})").format(
            sql.Literal(streams)
        )
    if f"{CANONICAL_PREFIX}{LINKS}" in sources:
        yield from (_linked(entity) for entity in CANONICAL.entities.values())
    for entity in CANONICAL.entities.values():
        if f"{CANONICAL_PREFIX}{entity.table}" in sources:
            condition = sql.SQL("n.source = {}").format(sql.Literal(f"{CANONICAL_PREFIX}{entity.table}"))
            yield _of_entity(workspace, entity, condition, 1)
    if f"{CANONICAL_PREFIX}{EDGES}" in sources:
        yield from _ends_of_edges(workspace, of_records=False)
    for each in CANONICAL.fields:
        if each.stream.name in sources and each.on.name in CANONICAL.entities:
            yield from _with_field(workspace, each, sql.SQL("o.id"))


def _edge_seeds(workspace: Workspace, sources: frozenset[str]) -> Iterator[sql.Composable]:
    """The near ends of edges that changed, for streams of records that are edges."""
    streams = sorted(sources & CANONICAL.edges.keys())
    if streams:
        yield sql.SQL("SELECT source, key[1] FROM pg_temp.transform_notes WHERE source = ANY({})").format(
            sql.Literal(streams)
        )
    for edge in CANONICAL.edges.values():
        near = sql.Identifier("o", f"{edge.between[0]}_id")
        if records_of(edge.stream) in sources:
            yield _near_ends(workspace, edge.stream, near)
        for each in CANONICAL.fields_on(edge.stream):
            if each.stream.name in sources:
                yield from _with_field(workspace, each, near)
    if f"{CANONICAL_PREFIX}{EDGES}" in sources:
        yield from _ends_of_edges(workspace, of_records=True)


def _near_ends(workspace: Workspace, stream: Stream, near: sql.Composable) -> sql.Composable:
    return sql.SQL(
        "SELECT {stream}, {near} FROM pg_temp.transform_notes n JOIN {raw} o ON o.org_id = %(org_id)s"
        " AND o.id = n.key[1] WHERE n.source = {source} AND {near} IS NOT NULL"
    ).format(
        stream=sql.Literal(stream.name),
        near=near,
        raw=workspace.raw(stream),
        source=sql.Literal(records_of(stream)),
    )


def _with_field(workspace: Workspace, each: Field, owner_id: sql.Composable) -> Iterator[sql.Composable]:
    """The records of `on`, as `o`, that name or list a field's record that changed."""
    raw = workspace.raw(each.on)
    if is_named_by_owner(each):
        joined = sql.SQL("JOIN {} o ON o.org_id = %(org_id)s AND o.{} = n.key[1]").format(
            raw, sql.Identifier(f"{each.via}_id")
        )
    elif is_listed_by_owner(each):
        joined = sql.SQL(
            "JOIN {} k ON k.org_id = %(org_id)s AND k.related_id = n.key[1]"
            " JOIN {} o ON o.org_id = %(org_id)s AND o.id = k.id"
        ).format(sql.Identifier(each.on.schema, each.on.links[each.via]), raw)
    else:
        return
    yield sql.SQL(
        "SELECT {on}, {owner_id} FROM pg_temp.transform_notes n {joined}"
        " WHERE n.source = {source} AND {owner_id} IS NOT NULL"
    ).format(on=sql.Literal(each.on.name), owner_id=owner_id, joined=joined, source=sql.Literal(each.stream.name))


def _linked(entity: Entity) -> sql.Composable:
    """The records of the entity with changed links; notes name no source, so those of another may be among them."""
    return sql.SQL(
        'SELECT {stream}, {record_id} FROM (SELECT key[1] AS "entityType", key[2] AS "externalId"'
        " FROM pg_temp.transform_notes WHERE source = {source}) l WHERE {is_link}"
    ).format(
        stream=sql.Literal(entity.stream.name),
        record_id=record_id_of(entity, "l"),
        source=sql.Literal(f"{CANONICAL_PREFIX}{LINKS}"),
        is_link=is_id_of(entity, "l"),
    )


def _ends_of_edges(workspace: Workspace, *, of_records: bool) -> Iterator[sql.Composable]:
    """The owners of the edges that others changed; of_records: of those made from records of their own."""
    for relationship in CANONICAL.relationships:
        if not relationship.is_edge or bool(relationship.edge) is not of_records:
            continue
        for place, relationship_type in enumerate(relationship.types, start=1):
            condition = sql.SQL("n.source = {} AND n.key[3] = {}").format(
                sql.Literal(f"{CANONICAL_PREFIX}{EDGES}"), sql.Literal(relationship_type)
            )
            yield _of_entity(workspace, relationship.owner, condition, place, relationship.stream)


def _of_entity(
    workspace: Workspace, entity: Entity, condition: sql.Composable, place: int, stream: Stream | None = None
) -> sql.Composable:
    """The records of the entity that a note's key has at this place, as records of the stream."""
    return sql.SQL(
        "SELECT {stream}, {record_id} FROM pg_temp.transform_notes n JOIN {links} l"
        ' ON l."orgId" = %(org_id)s AND l."entityId" = n.key[{place}]'
        " WHERE {condition} AND {is_link}"
    ).format(
        stream=sql.Literal((stream or entity.stream).name),
        record_id=record_id_of(entity, "l"),
        links=workspace.canonical(LINKS),
        place=sql.Literal(place),
        condition=condition,
        is_link=is_link_of(entity, "l"),
    )


_KIN: Final = sql.SQL(
    "SELECT s.stream, other.record_id FROM pg_temp.transform_scope s"
    " JOIN pg_temp.transform_kin mine ON mine.stream = s.stream AND mine.record_id = s.id"
    " JOIN pg_temp.transform_kin other ON other.stream = mine.stream AND other.kin = mine.kin"
)


def _siblings(workspace: Workspace, table: str, entity: Entity) -> sql.Composable:
    """The records that share their entity with one of the table's, of any source."""
    stream, record_id, is_any = stream_and_record_of(entity, "other")
    return sql.SQL(
        "SELECT {stream}, {record_id} FROM {table} s JOIN {link}"
        ' JOIN {links} other ON other."entityId" = l."entityId" AND other."orgId" = %(org_id)s'
        " AND {is_any} WHERE s.stream = {own}"
        ' AND (other.adapter, other."externalId") <> (l.adapter, l."externalId")'
    ).format(
        stream=stream,
        record_id=record_id,
        table=sql.Identifier("pg_temp", table),
        link=link_of(workspace, entity, sql.Identifier("s", "id")),
        links=workspace.canonical(LINKS),
        is_any=is_any,
        own=sql.Literal(entity.stream.name),
    )


def _referring(workspace: Workspace, *, of_records: bool) -> Iterator[sql.Composable]:
    """The records with columns, or metadata, that refer to a merged person: the id may be another's by now."""
    for each in CANONICAL.relationships:
        if not each.is_edge and bool(each.edge) is of_records and each.target.stream.name in CANONICAL.merges:
            yield sql.SQL(
                "SELECT {stream}, {near} FROM pg_temp.transform_scope s"
                " JOIN pg_temp.transform_kin kin ON kin.stream = s.stream AND kin.record_id = s.id"
                " JOIN {raw} r ON r.org_id = %(org_id)s AND r.{far} = s.id WHERE s.stream = {target}"
                " AND {near} IS NOT NULL"
            ).format(
                stream=sql.Literal(each.stream.name),
                near=sql.Identifier("r", each.near),
                raw=workspace.raw(each.stream),
                far=sql.Identifier(each.far),
                target=sql.Literal(each.target.stream.name),
            )


def _find_moved(workspace: Workspace) -> None:
    """Complete `transform_moved`: the records in scope that may have taken up or lost edges of records that name them.

    Those are linked for the first time, deleted or back (`refresh_links` notes both), merged, or merged once, so that
    they share their entity, deleted by a person so that the link does not show it, or without a raw row. Other changes
    do not concern the records that name it.
    """
    _add_moved(workspace, sql.SQL("SELECT stream, external_id FROM pg_temp.transform_links"))
    _add_moved(
        workspace,
        sql.SQL(
            "SELECT s.stream, s.id FROM pg_temp.transform_scope s"
            " JOIN pg_temp.transform_kin kin ON kin.stream = s.stream AND kin.record_id = s.id"
        ),
    )
    for entity in _entities_in(workspace, SCOPE):
        _add_moved(workspace, _siblings(workspace, SCOPE, entity))  # the scope has all of those that share an entity
        unseen = sql.SQL(
            "SELECT s.stream, s.id FROM pg_temp.transform_scope s JOIN {link}"
            " LEFT JOIN {raw} r ON r.org_id = %(org_id)s AND r.id = s.id"
            " WHERE s.stream = {stream} AND (r.id IS NULL OR {by_person})"
        )
        names = {
            "link": link_of(workspace, entity, sql.Identifier("s", "id")),
            "raw": workspace.raw(entity.stream),
            "stream": sql.Literal(entity.stream.name),
            "by_person": deleted_by_person("l"),
        }
        _add_moved(workspace, unseen.format(**names))
    workspace.analyze(MOVED)


def _add_moved(workspace: Workspace, records: sql.Composable) -> None:
    workspace.execute(sql.SQL("INSERT INTO pg_temp.transform_moved {}").format(records))


def _pointing(workspace: Workspace, relationship: Relationship, moved: frozenset[str]) -> Iterator[sql.Composable]:
    """The owners of the relationship's rows that name a moved record."""
    if relationship.edge and relationship.owner.stream.name in moved:
        yield sql.SQL("SELECT {}, id FROM pg_temp.transform_moved WHERE stream = {}").format(
            sql.Literal(relationship.stream.name), sql.Literal(relationship.owner.stream.name)
        )
    if relationship.target.stream.name in moved:
        held = holding(replace(workspace, is_partial=False), relationship)
        yield sql.SQL(
            "SELECT {stream}, {near} FROM pg_temp.transform_moved s JOIN {rows} ON r.org_id = %(org_id)s"
            " AND {far} = s.id WHERE s.stream = {target} AND {near} IS NOT NULL"
        ).format(
            stream=sql.Literal(relationship.stream.name),
            near=held.near,
            rows=sql.SQL("({})").format(held.rows) if relationship.links else held.rows,
            far=held.far,
            target=sql.Literal(relationship.target.stream.name),
        )
