"""The parents that an answer leaves out: a record keeps those that are known of it.

Most of Planning Center's records do not name the record they are found under. One that comes without it (by a webhook,
by an answer that names it nowhere, or under a parent of another kind) is no record without a parent. One whose own
relationship is null says that it has none.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection, sql

from openfaith_pipeline.catalog import STREAMS, Stream
from openfaith_pipeline.load.sessions import Session, raw_name, staging_name
from openfaith_pipeline.walk import Record, id_of

_Known = dict[str, Any]
"""Columns of parents that are not null."""


async def with_known_parents(
    connection: AsyncConnection[Any], session: Session, stream: Stream, records: list[Record]
) -> list[Record]:
    """The records, each with the parents that it does not tell and that its row, or the session, knows.

    The session's own pages count before what was published; among the pages, the later ones.
    """
    names = frozenset(name for way in stream.parent_ways for name in way)
    if not names:
        return records
    told = [_told(record, names, stream) for record in records]
    lacking = {
        identifier
        for record, each in zip(records, told, strict=True)
        if not names <= each.keys() and (identifier := id_of(record.resource))
    }
    known = await _known(connection, session, stream, sorted(names), lacking) if lacking else {}
    completed: list[Record] = []
    for record, each in zip(records, told, strict=True):
        identifier = id_of(record.resource) or ""
        completed.append(_completed(record, stream, names - each.keys(), known.get(identifier, {})))
        if identifier in lacking:
            known.setdefault(identifier, {}).update({f"{name}_id": value for name, value in each.items() if value})
    session.named.setdefault(stream.name, set()).update(*told)
    return completed


def _told(record: Record, names: Collection[str], stream: Stream) -> dict[str, Any]:
    """What the record, or the way to it, says of its parents: by relationship an id, None where it has none."""
    resource = record.resource if isinstance(record.resource, dict) else {}
    relationships, attributes = resource.get("relationships"), resource.get("attributes")
    told: dict[str, Any] = {}
    for name in names:
        linkage = relationships.get(name) if isinstance(relationships, dict) else None
        data = linkage.get("data") if isinstance(linkage, dict) else None
        if isinstance(data, dict):
            told[name] = data.get("id")
        elif name in record.parents:
            told[name] = record.parents[name]
        elif isinstance(attributes, dict) and f"{name}_id" in stream.attributes and f"{name}_id" in attributes:
            told[name] = attributes[f"{name}_id"]
        elif isinstance(linkage, dict) and "data" in linkage:
            told[name] = None
    return told


def _completed(record: Record, stream: Stream, lacking: Collection[str], known: _Known) -> Record:
    parents = {name: known[f"{name}_id"] for name in lacking if known.get(f"{name}_id")}
    found = Record(record.resource, {**record.parents, **parents}) if parents else record
    for name in parents.keys() | record.parents.keys():
        if name in stream.belongs_to and stream.belongs_to[name] is None and isinstance(record.resource, dict):
            companion = STREAMS[stream.companion or ""].type if stream.companion in STREAMS else None
            found = _naming(found, name, known.get(f"{name}_type") or companion)
    return found


def _naming(record: Record, name: str, type_: str | None) -> Record:
    """The record with a relationship that may be of any type: an id alone would not say to what."""
    relationships = record.resource.get("relationships") or {}
    linkage = relationships.get(name) if isinstance(relationships, dict) else None
    if not isinstance(relationships, dict) or (isinstance(linkage, dict) and linkage.get("data")):
        return record
    named = {"data": {"type": type_, "id": record.parents[name]}}
    return record._replace(resource={**record.resource, "relationships": {**relationships, name: named}})


async def _known(
    connection: AsyncConnection[Any], session: Session, stream: Stream, names: Sequence[str], ids: Collection[str]
) -> dict[str, _Known]:
    """By id, what the published rows know, and what this session has staged since."""
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
