"""Keep known parents of records whose source document omits them.

Most of Planning Center's records do not name the parent they are listed under. A record that comes without it (by a
webhook, in a document that does not name it, or under a parent of another kind) still has that parent. A record whose
own relationship is null has none.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection, sql

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Record, id_of
from openfaith_pipeline.database.table_names import raw_name, staging_name
from openfaith_pipeline.load.sessions import Session
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.text import exact_json

_Known = dict[str, Any]
"""Parent columns that are not null."""

_Place = tuple[str, str]
"""The relationship to a parent, and its id."""


async def with_known_parents(
    connection: AsyncConnection[Any], session: Session, stream: Stream, records: list[Record]
) -> list[Record]:
    """Add to each record the parents that it does not name and that are known.

    Parents further up come from the parent's row. Otherwise pages of this session take precedence over the published
    row, and later pages over earlier ones.
    """
    names = frozenset(name for way in stream.parent_ways for name in way)
    if not names:
        return records
    told = [_told(record, names, stream) for record in records]
    ids = [id_of(record.resource) or "" for record in records]
    lacking = {identifier for identifier, each in zip(ids, told, strict=True) if not names <= each.keys()} - {""}
    if lacking:
        # Shared records get their other parents once all of them are staged (see gathering.py): until then each record
        # keeps its own parent, and only the parents above that are added.
        is_gathered = bool(stream.listing_kinds)
        known = {} if is_gathered else await _known(connection, session, stream, sorted(names), lacking)
        inner = {
            place
            for identifier, each in zip(ids, told, strict=True)
            for place in _inner(stream, each, known.get(identifier, {}))
        }
        above = await _above(connection, session.org_id, stream, inner)
        records = [
            _completed(record, stream, told_by_it, known.setdefault(identifier, {}) if identifier else {}, above)
            for identifier, record, told_by_it in zip(ids, records, told, strict=True)
        ]
    session.named.setdefault(stream.name, set()).update(*told)
    return [_typed(record, stream) for record in records]


def _told(record: Record, names: Collection[str], stream: Stream) -> dict[str, str | None]:
    """Parents named by the record or its path: by relationship an id, None if it has none, or one of no use."""
    resource = record.resource if isinstance(record.resource, dict) else {}
    relationships, attributes = resource.get("relationships"), resource.get("attributes")
    told: dict[str, str | None] = {}
    for name in names:
        linkage = relationships.get(name) if isinstance(relationships, dict) else None
        data = linkage.get("data") if isinstance(linkage, dict) else None
        if isinstance(data, dict):
            told[name] = _usable(data.get("id"))
        elif name in record.parents:
            told[name] = _usable(record.parents[name])
        elif isinstance(attributes, dict) and f"{name}_id" in stream.attributes and f"{name}_id" in attributes:
            told[name] = _usable(attributes[f"{name}_id"])
        elif isinstance(linkage, dict) and "data" in linkage:
            told[name] = None
    return told


def _usable(identifier: Any) -> str | None:
    """The id as its column has it; None if rows cannot be looked up by it, since it may be anything."""
    if isinstance(identifier, int) and not isinstance(identifier, bool):
        return str(identifier)
    return identifier if isinstance(identifier, str) and exact_json.is_storable(identifier) else None


def _inner(stream: Stream, told: Mapping[str, Any], known: _Known) -> set[_Place]:
    """The record's own parents whose rows have the parents further up that the record lacks."""
    found = ((way, told.get(way[-1]) or known.get(f"{way[-1]}_id")) for way in stream.parent_ways)
    return {(way[-1], parent) for way, parent in found if parent and not told.keys() >= set(way)}


def _completed(
    record: Record, stream: Stream, told: Mapping[str, Any], known: _Known, above: Mapping[_Place, _Known]
) -> Record:
    found = dict(known)
    for place in _inner(stream, told, known):
        found |= above.get(place, {})
    lacking = {name for way in stream.parent_ways for name in way} - told.keys()
    parents = {name: found[f"{name}_id"] for name in lacking if found.get(f"{name}_id")}
    # The next record of the page may be the same.
    known |= {f"{name}_id": value for name, value in told.items() if value}
    completed = record._replace(parents={**record.parents, **parents}) if parents else record
    for name in parents:
        if known.get(f"{name}_type"):
            completed = _naming(completed, name, known[f"{name}_type"])
    return completed


def _typed(record: Record, stream: Stream) -> Record:
    """Set the type of a polymorphic parent to the type these records are included with."""
    for name in record.parents if stream.companion else ():
        if stream.belongs_to.get(name, "") is None:
            record = _naming(record, name, STREAMS[stream.companion or ""].type)
    return record


def _naming(record: Record, name: str, type_: str) -> Record:
    """Name a parent in a polymorphic relationship: an id alone would lack the type."""
    relationships = (record.resource.get("relationships") or {}) if isinstance(record.resource, dict) else None
    if not isinstance(relationships, dict):
        return record
    linkage = relationships.get(name)
    if isinstance(linkage, dict) and linkage.get("data"):
        return record
    named = {"data": {"type": type_, "id": record.parents[name]}}
    return record._replace(resource={**record.resource, "relationships": {**relationships, name: named}})


async def _known(
    connection: AsyncConnection[Any], session: Session, stream: Stream, names: Sequence[str], ids: Collection[str]
) -> dict[str, _Known]:
    """Parents by id, from published rows and from records staged by this session."""
    columns = [column for name in names for column in (f"{name}_id", f"{name}_type") if column in stream.columns]
    selected = sql.SQL(", ").join(map(sql.Identifier, ["id", *columns]))
    cursor = await connection.execute(
        sql.SQL("SELECT {} FROM {} WHERE org_id = %s AND id = ANY(%s)").format(selected, raw_name(stream)),
        (session.org_id, list(ids)),
    )
    rows: list[Mapping[str, Any]] = await cursor.fetchall()
    if session.is_resumed or session.named.get(stream.name):
        cursor = await connection.execute(
            sql.SQL("SELECT {} FROM {} WHERE _stream_sync_id = %s AND id = ANY(%s) ORDER BY _page, _position").format(
                selected, staging_name(stream)
            ),
            (session.ids[stream.name], list(ids)),
        )
        rows += await cursor.fetchall()
    known: dict[str, _Known] = {}
    for row in rows:
        known.setdefault(row["id"], {}).update({name: row[name] for name in columns if row[name]})
    return known


async def _above(
    connection: AsyncConnection[Any], org_id: str, stream: Stream, inner: Collection[_Place]
) -> dict[_Place, _Known]:
    """Parents further up, from the rows of these parents."""
    found: dict[_Place, _Known] = {}
    for way in stream.parent_ways:
        *outer, name = way
        ids = sorted(parent for relationship, parent in inner if relationship == name)
        parent = STREAMS[stream.belongs_to[name] or ""] if ids and outer else None
        columns = [f"{each}_id" for each in outer if parent and f"{each}_id" in parent.columns]
        if parent is None or not columns:
            continue
        cursor = await connection.execute(
            sql.SQL("SELECT {} FROM {} WHERE org_id = %s AND id = ANY(%s)").format(
                sql.SQL(", ").join(map(sql.Identifier, ["id", *columns])), raw_name(parent)
            ),
            (org_id, ids),
        )
        for row in await cursor.fetchall():
            found[name, row["id"]] = {column: row[column] for column in columns if row[column]}
    return found
