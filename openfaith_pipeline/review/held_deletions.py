"""Deletions too large to be believed, kept until a person decides or a later reconcile finds them no more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection, Connection
from psycopg.rows import class_row

from openfaith_pipeline.alerts.incidents import raise_alert_async
from openfaith_pipeline.errors import UsageError

_COLUMNS: Final = (
    "SELECT id, org_id, stream, sync_id, cardinality(ids) AS number, row_count, reason, held_at, decision, decided_at,"
    " decided_by FROM sync.held_deletions"
)


@dataclass(frozen=True)
class HeldDeletion:
    """Rows of one stream that a proven listing lacked.

    number: how many. row_count: of how many rows. sync_id: the reconcile that found them missing.
    decision: approved, rejected, superseded (a later reconcile held anew) or lapsed (one found less); None while open.
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
    """Keep the ids for a decision, in the place of what was held of the stream before, and raise the alert."""
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
    """A proven listing lacked no more than is believed: what was held of the stream before is settled."""
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
    """What waits for a decision, oldest first, and on demand what was decided."""
    with connection.cursor(row_factory=class_row(HeldDeletion)) as cursor:
        return cursor.execute(
            f"{_COLUMNS} WHERE (%(org)s::text IS NULL OR org_id = %(org)s) AND (%(all)s OR decision IS NULL)"
            " ORDER BY id",
            {"org": org_id, "all": with_decided},
        ).fetchall()


async def get_held(connection: AsyncConnection[Any], held_id: int) -> tuple[HeldDeletion, list[str]]:
    """One that waits, locked until the transaction ends, with its ids; UsageError when none waits by that number."""
    async with connection.cursor(row_factory=class_row(HeldDeletion)) as cursor:
        await cursor.execute(f"{_COLUMNS} WHERE id = %s AND decision IS NULL FOR UPDATE", (held_id,))
        held = await cursor.fetchone()
    if held is None:
        raise UsageError(f"no held deletion {held_id} waits for a decision; see: openfaith-pipeline deletes list --all")
    row = await (await connection.execute("SELECT ids FROM sync.held_deletions WHERE id = %s", (held_id,))).fetchone()
    return held, row["ids"] if row else []


async def decide(connection: AsyncConnection[Any], held: HeldDeletion, decision: str, who: str) -> None:
    """Settle it and end its alert."""
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
