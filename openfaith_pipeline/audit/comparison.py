"""Records of the source compared with their rows by value: staged as for a sync, in a transaction that is rolled back.

A sync trusts the content hash of a row. A verification does not: a row that was changed by hand still has its hash.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection, sql

from openfaith_pipeline.audit.findings import Finding, Kind
from openfaith_pipeline.audit.states import StreamState
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Record, Walk, id_of
from openfaith_pipeline.database.table_names import raw_name, staging_name
from openfaith_pipeline.journal import link_rows
from openfaith_pipeline.load.gathering import gather_parents
from openfaith_pipeline.load.leases import Leases
from openfaith_pipeline.load.left_out import keep_unasked
from openfaith_pipeline.load.merging import drop_staged_merged
from openfaith_pipeline.load.sessions import Session, SyncRequest
from openfaith_pipeline.load.staging import encode_completed, stage

Connection = AsyncConnection[Any]

_STAGED_AS: Final = -1
"""No sync has this number, and nobody else sees the rows: they are never committed."""

_COMPARE: Final = """
SELECT * FROM (
    SELECT DISTINCT ON (incoming.id) incoming.id, present.id IS NULL AS is_missing,
        present._deleted_at IS NOT NULL AS is_deleted,
        present._content_hash IS DISTINCT FROM incoming._content_hash AS has_other_hash,
        array_remove(ARRAY[{fields}]::text[], NULL) AS fields, array_remove(ARRAY[{lost}]::text[], NULL) AS lost
    FROM {staging} AS incoming
    LEFT JOIN {raw} AS present ON present.org_id = %(org_id)s AND present.id = incoming.id
    WHERE incoming._stream_sync_id = %(id)s
    ORDER BY incoming.id, incoming._page DESC, incoming._position DESC
) AS compared WHERE is_missing OR is_deleted OR cardinality(fields) > 0
"""
_FIELD: Final = sql.SQL("CASE WHEN present.{column} IS DISTINCT FROM incoming.{column} THEN {name} END")
_LOST: Final = sql.SQL("CASE WHEN present.{column} IS NULL AND incoming.{column} IS NOT NULL THEN {name} END")
_LINKS: Final = sql.SQL("""CASE WHEN incoming._links ? {name} AND (
    SELECT coalesce(jsonb_agg(named.id ORDER BY named.position), '[]') FROM (
        SELECT each.id, min(each.position) AS position
        FROM jsonb_array_elements_text(incoming._links -> {name}) WITH ORDINALITY AS each (id, position)
        GROUP BY each.id) AS named
) <> (
    SELECT coalesce(jsonb_agg(link.related_id ORDER BY link.position), '[]') FROM {links} AS link
    WHERE link.org_id = %(org_id)s AND link.id = incoming.id) THEN {name} END""")


class Compared(NamedTuple):
    """Differences of some records, the ids of those that could be read, and the number of those that could not."""

    findings: list[Finding]
    ids: set[str]
    broken: int


async def compare(
    connection: Connection, org_id: str, walk: Walk, stream: Stream, records: Sequence[Record], state: StreamState
) -> Compared:
    """Compare records of one stream with its rows. Commits nothing."""
    ids = {identifier for record in records if (identifier := id_of(record.resource))}
    async with connection.transaction(force_rollback=True):
        session = _session(org_id, walk, stream)
        encoded = await encode_completed(connection, session, stream, list(records))
        broken = {issue.record_id for issue in encoded.issues if issue.field is None}
        encoded.issues.clear()
        await stage(connection, session, stream, encoded)
        await drop_staged_merged(connection, session, stream)
        await gather_parents(connection, session, stream)
        await keep_unasked(connection, session, stream)
        cursor = await connection.execute(_statement(stream), {"org_id": org_id, "id": _STAGED_AS})
        rows = await cursor.fetchall()
    changed_at = {id_of(record.resource): changed_at_of(record.resource) for record in records}
    found = [_finding(stream, row, state.is_behind(stream, changed_at.get(row["id"]))) for row in rows]
    return Compared(found, ids, len(broken))


def _session(org_id: str, walk: Walk, stream: Stream) -> Session:
    request = SyncRequest(org_id, "verify", "verify", "verify")
    leases = Leases(org_id, "verify", {})
    return Session(request, walk, {stream.name: _STAGED_AS}, leases, {}, datetime.now(UTC))


def changed_at_of(resource: Any) -> datetime | None:
    """When the record last changed or was created, as the source says."""
    attributes = resource.get("attributes") if isinstance(resource, dict) else None
    known = [attributes.get(name) for name in ("created_at", "updated_at")] if isinstance(attributes, dict) else []
    moments = [moment for value in known if (moment := _moment(value))]
    return max(moments, default=None)


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None


def _finding(stream: Stream, row: Mapping[str, Any], is_behind: bool) -> Finding:
    fields = tuple(row["fields"])
    if row["is_missing"]:
        return Finding(stream.name, row["id"], Kind.MISSING, (), is_behind)
    if row["is_deleted"]:
        return Finding(stream.name, row["id"], Kind.MARKED_DELETED, (), is_behind)
    kind = Kind.PARENT_LOST if set(fields) == set(row["lost"]) else Kind.CHANGED
    return Finding(stream.name, row["id"], kind, fields, is_behind and row["has_other_hash"], row["has_other_hash"])


@cache
def parent_columns(stream: Stream) -> tuple[str, ...]:
    """Columns with the ids of the parents under which the stream's records are found."""
    return tuple(dict.fromkeys(f"{name}_id" for way in stream.parent_ways for name in way))


@cache
def _statement(stream: Stream) -> bytes:
    fields = [
        _FIELD.format(column=sql.Identifier(name), name=sql.Literal(name)) for name in (*stream.columns, "_extra")
    ]
    fields += [_LINKS.format(name=sql.Literal(name), links=link_rows(stream, name).identifier) for name in stream.links]
    lost = [_LOST.format(column=sql.Identifier(name), name=sql.Literal(name)) for name in parent_columns(stream)]
    statement = sql.SQL(_COMPARE).format(
        fields=sql.SQL(", ").join(fields),
        lost=sql.SQL(", ").join(lost),
        staging=staging_name(stream),
        raw=raw_name(stream),
    )
    return statement.as_bytes()


async def rows_beside(
    connection: Connection,
    org_id: str,
    stream: Stream,
    column: str | None,
    parents: Collection[str],
    ids: Collection[str],
) -> list[str]:
    """Ids of the stream's live rows other than these; if there is a column, only rows with one of the parents in it."""
    under = sql.SQL("{} = ANY(%(parents)s)").format(sql.Identifier(column)) if column else sql.SQL("true")
    cursor = await connection.execute(
        sql.SQL(
            "SELECT id FROM {} WHERE org_id = %(org_id)s AND _deleted_at IS NULL AND {}"
            " AND NOT id = ANY(%(ids)s::text[]) ORDER BY id"
        ).format(raw_name(stream), under),
        {"org_id": org_id, "parents": list(parents), "ids": list(ids)},
    )
    return [row["id"] for row in await cursor.fetchall()]


async def row_parents(
    connection: Connection, org_id: str, stream: Stream, ids: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Parent ids in the columns of each row, live or not: by row id and relationship."""
    names = [name for name in stream.belongs_to if f"{name}_id" in stream.columns]
    columns = sql.SQL(", ").join(map(sql.Identifier, ["id", *(f"{name}_id" for name in names)]))
    cursor = await connection.execute(
        sql.SQL("SELECT {} FROM {} WHERE org_id = %s AND id = ANY(%s)").format(columns, raw_name(stream)),
        (org_id, list(ids)),
    )
    rows = await cursor.fetchall()
    return {row["id"]: {name: row[f"{name}_id"] for name in names if row[f"{name}_id"]} for row in rows}


_OTHER_ORGS: Final = """
SELECT mine.id FROM {raw} AS mine WHERE mine.org_id = %(org_id)s AND mine.id = ANY(%(ids)s) AND EXISTS (
    SELECT FROM {raw} AS other WHERE other.org_id <> %(org_id)s AND other.id = mine.id
        AND other._content_hash = mine._content_hash)
"""


async def rows_of_other_orgs(connection: Connection, org_id: str, stream: Stream, ids: Sequence[str]) -> set[str]:
    """The org's rows with the id and content of another org's row."""
    cursor = await connection.execute(
        sql.SQL(_OTHER_ORGS).format(raw=raw_name(stream)), {"org_id": org_id, "ids": list(ids)}
    )
    return {row["id"] for row in await cursor.fetchall()}


async def live_count(connection: Connection, org_id: str, stream: Stream) -> int:
    """The org's live rows of the stream."""
    cursor = await connection.execute(
        sql.SQL("SELECT count(*) AS rows FROM {} WHERE org_id = %s AND _deleted_at IS NULL").format(raw_name(stream)),
        (org_id,),
    )
    row = await cursor.fetchone()
    return row["rows"] if row else 0
