"""Deletions that exceed their guard, held until a person decides or a later reconcile no longer finds them missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection, Connection, sql
from psycopg.rows import class_row, tuple_row

from openfaith_pipeline.alerts.incidents import raise_alert_async
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.sources import STREAMS

_COLUMNS: Final = (
    "SELECT id, org_id, stream, sync_id, cardinality(ids) AS number, row_count, reason, held_at, decision, decided_at,"
    " decided_by FROM sync.held_deletions"
)


@dataclass(frozen=True)
class HeldDeletion:
    """Rows of one stream that were missing from a complete listing.

    number: how many. row_count: rows of the stream. sync_id: the reconcile that found them missing.
    decision: approved, rejected, superseded (held again by a later reconcile) or lapsed (a later one found fewer
    missing); None while open.
    """

    id: int
    org_id: str
    stream: str
    sync_id: str
    number: int
    row_count: int
    reason: str
    held_at: datetime
    decision: str | None
    decided_at: datetime | None
    decided_by: str | None


async def hold(
    connection: AsyncConnection[Any], org_id: str, stream: str, *, ids: Sequence[str], sync_id: str, reason: str
) -> None:
    """Hold these ids for a decision in place of earlier ones of the stream, and raise the alert."""
    await _close(connection, org_id, stream, sync_id, "superseded")
    await connection.execute(
        "INSERT INTO sync.held_deletions (org_id, stream, sync_id, ids, row_count, reason)"
        " SELECT org_id, stream, %s, %s, coalesce(row_count, 0), %s FROM sync.stream_states"
        " WHERE org_id = %s AND stream = %s",
        (sync_id, list(ids), reason, org_id, stream),
    )
    mend = f"look for them in Planning Center, then: openfaith-pipeline deletes list {org_id}"
    await raise_alert_async(connection, "deletes_held", org_id, reason, mend, incident=stream)


async def let_lapse(connection: AsyncConnection[Any], org_id: str, stream: str, sync_id: str) -> None:
    """Close the stream's held deletion: a later complete listing lacked no more rows than the guard allows."""
    if await _close(connection, org_id, stream, sync_id, "lapsed"):
        await _end_alert(connection, org_id, stream)


async def _close(connection: AsyncConnection[Any], org_id: str, stream: str, sync_id: str, decision: str) -> int:
    cursor = await connection.execute(
        "UPDATE sync.held_deletions SET decision = %s, decided_at = now(), decided_by = %s"
        " WHERE org_id = %s AND stream = %s AND decision IS NULL",
        (decision, sync_id, org_id, stream),
    )
    return cursor.rowcount


def list_held(
    connection: Connection[Any], org_id: str | None = None, *, with_decided: bool = False
) -> list[HeldDeletion]:
    """Deletions waiting for a decision, oldest first; with `with_decided`, decided ones too."""
    with connection.cursor(row_factory=class_row(HeldDeletion)) as cursor:
        return cursor.execute(
            f"{_COLUMNS} WHERE (%(org)s::text IS NULL OR org_id = %(org)s) AND (%(all)s OR decision IS NULL)"
            " ORDER BY id",
            {"org": org_id, "all": with_decided},
        ).fetchall()


def are_all_that_failed(connection: Connection[Any], org_id: str, sync_id: str) -> bool:
    """Whether the org's part of the sync failed by nothing but deletions that it held."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(
            "SELECT bool_and(EXISTS (SELECT FROM sync.held_deletions AS held WHERE held.org_id = done.org_id"
            " AND held.stream = done.stream AND held.sync_id = done.sync_id)) FROM sync.stream_syncs AS done"
            " WHERE done.org_id = %s AND done.sync_id = %s AND done.status IN ('failed', 'incomplete')",
            (org_id, sync_id),
        ).fetchone()
    return bool(row and row[0])


def waiting_deletion(connection: Connection[Any], held_id: int) -> HeldDeletion:
    """A deletion that is waiting; UsageError if none with that number is."""
    with connection.cursor(row_factory=class_row(HeldDeletion)) as cursor:
        held = cursor.execute(f"{_COLUMNS} WHERE id = %s AND decision IS NULL", (held_id,)).fetchone()
    if held is None:
        raise _none_waits(held_id)
    return held


def ids_of(connection: Connection[Any], held_id: int) -> list[str]:
    """The ids of a held deletion's records; numeric ids are in numeric order."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute("SELECT ids FROM sync.held_deletions WHERE id = %s", (held_id,)).fetchone()
    return sorted(row[0], key=lambda each: (len(each), each)) if row else []


def held_rows(connection: Connection[Any], held: HeldDeletion, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The rows as they stand in the raw table. Their contents are the church's own data."""
    stream = STREAMS[held.stream]
    statement = sql.SQL("SELECT to_jsonb(held) FROM {} AS held WHERE org_id = %s AND id = ANY(%s) ORDER BY id")
    with connection.cursor(row_factory=tuple_row) as cursor:
        return [
            row for (row,) in cursor.execute(statement.format(raw_name(stream)), (held.org_id, list(ids))).fetchall()
        ]


def _none_waits(held_id: int) -> UsageError:
    return UsageError(
        f"no held deletion {held_id} is waiting for a decision; see: openfaith-pipeline deletes list --all"
    )


async def get_held(connection: AsyncConnection[Any], held_id: int) -> tuple[HeldDeletion, list[str]]:
    """An open held deletion with its ids, locked until the transaction ends; UsageError if none has this id."""
    async with connection.cursor(row_factory=class_row(HeldDeletion)) as cursor:
        await cursor.execute(f"{_COLUMNS} WHERE id = %s AND decision IS NULL FOR UPDATE", (held_id,))
        held = await cursor.fetchone()
    if held is None:
        raise _none_waits(held_id)
    row = await (await connection.execute("SELECT ids FROM sync.held_deletions WHERE id = %s", (held_id,))).fetchone()
    return held, row["ids"] if row else []


async def decide(connection: AsyncConnection[Any], held: HeldDeletion, decision: str, who: str) -> None:
    """Record the decision and close the alert."""
    await connection.execute(
        "UPDATE sync.held_deletions SET decision = %s, decided_at = now(), decided_by = %s WHERE id = %s",
        (decision, who, held.id),
    )
    await _end_alert(connection, held.org_id, held.stream)


async def _end_alert(connection: AsyncConnection[Any], org_id: str, stream: str) -> None:
    await connection.execute(
        "UPDATE sync.alerts SET resolved_at = now() WHERE kind = 'deletes_held' AND org_id = %s AND incident = %s"
        " AND resolved_at IS NULL",
        (org_id, stream),
    )
