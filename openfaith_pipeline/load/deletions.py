"""Rows missing from a whole listing, and whether the listing proves their deletion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection, sql

from openfaith_pipeline.catalog.placeholders import placeholders_of
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.table_names import raw_name, staging_name
from openfaith_pipeline.load.sessions import ARRIVED_PREFIX, Session

SHOWN_WITHIN: Final = timedelta(hours=2)
"""Time after its event by which a record can be read: Planning Center has taken more than an hour."""


@dataclass(frozen=True)
class Verdict:
    """The result of a finished walk, separately for each stream.

    deletions: by stream name, the ids proven to be gone.
    under: by stream name, ids of children that are gone with their parents.
    held: by stream name, ids that exceed a guard; objections: the reasons.
    returning: by stream name, the records that came back with their parent, each with the ids of its parents.
    unsettled: streams of which more records may have come back than were fetched.
    doubts: by stream name, why it could not be proven complete.
    withheld: by stream name, why records may be withheld although nothing was refused; their rows stay.
    failing: by stream name, the parts that could not be read; refused: the parts that may not be. Their rows stay, the
        next sync tries again, and the rest of the stream is judged.
    proven: streams that were read whole, with deletions detected; in a first reading there is nothing to be deleted.
    requests: number of requests for the proof.
    """

    deletions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    under: Mapping[str, Sequence[str]] = field(default_factory=dict)
    held: Mapping[str, Sequence[str]] = field(default_factory=dict)
    objections: Mapping[str, str] = field(default_factory=dict)
    returning: Mapping[str, Sequence[Sequence[Any]]] = field(default_factory=dict)
    unsettled: Sequence[str] = ()
    doubts: Mapping[str, str] = field(default_factory=dict)
    withheld: Mapping[str, str] = field(default_factory=dict)
    failing: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    proven: Sequence[str] = ()
    requests: int = 0

    def reason(self, stream: str) -> str | None:
        """Why the stream does not end as succeeded; None if it does."""
        told = (self.doubts, self.objections, self.failing, self.withheld, self.refused)
        return "; ".join(reasons[stream] for reasons in told if stream in reasons) or None

    def is_judged(self, stream: str) -> bool:
        """Whether deletions of the stream may be detected."""
        return not any(stream in reasons for reasons in (self.doubts, self.objections, self.withheld))

    def status(self, stream: str) -> str:
        """Status of the stream once it is published."""
        if any(stream in reasons for reasons in (self.doubts, self.objections, self.failing)):
            return "incomplete"
        return "withheld" if stream in self.withheld or stream in self.refused else "succeeded"

    def told(self, stream: str) -> dict[str, Any]:
        """The verdict's part of the stream's result."""
        return {"error": self.reason(stream), "held": len(self.held.get(stream, ()))}


class Accounting(NamedTuple):
    """Counts of a stream's records staged by a finished walk.

    staged: distinct records, including erased ones. rows: highest number of occurrences of one record.
    broken: records quarantined as a whole; they exist at the source, though some have no usable id.
    """

    staged: int
    broken: int
    rows: int


async def account(connection: AsyncConnection[Any], session: Session, stream: Stream) -> Accounting:
    """Count the stream's staged records."""
    cursor = await connection.execute(
        _account_statement(stream), (session.org_id, stream.name, session.sync_id, session.ids[stream.name])
    )
    row = await cursor.fetchone() or {"staged": 0, "broken": 0, "rows": 0}
    withheld = session.withheld.get(stream.name, [])
    return Accounting(row["staged"] + len(set(withheld)), row["broken"], row["rows"] + len(withheld))


@cache
def _account_statement(stream: Stream) -> bytes:
    statement = sql.SQL(
        "SELECT staged, rows, (SELECT count(*) FROM sync.quarantine WHERE org_id = %s AND stream = %s AND sync_id = %s"
        " AND field IS NULL) AS broken"
        " FROM (SELECT count(DISTINCT id) AS staged, count(*) AS rows FROM {} WHERE _stream_sync_id = %s) AS counted"
    )
    return statement.format(staging_name(stream)).as_bytes()


async def missing_rows(
    connection: AsyncConnection[Any], session: Session, stream: Stream
) -> dict[str, Mapping[str, str]]:
    """Published rows that were not staged: id -> ids of the parents in their columns."""
    condition = sql.SQL(
        "NOT EXISTS (SELECT FROM {} AS staged WHERE staged._stream_sync_id = %s AND staged.id = present.id)"
    ).format(staging_name(stream))
    return await _live_rows(connection, session.org_id, stream, condition, session.ids[stream.name])


async def too_new_to_miss(
    connection: AsyncConnection[Any], org_id: str, stream: Stream, ids: Sequence[str]
) -> set[str]:
    """Those of these rows that only an event has brought, and so lately that the source may not show them yet."""
    statement = sql.SQL(
        "SELECT id FROM {} WHERE org_id = %s AND id = ANY(%s)"
        " AND starts_with(_sync_id, %s) AND _first_seen_at > now() - %s"
    ).format(raw_name(stream))
    cursor = await connection.execute(statement, (org_id, list(ids), ARRIVED_PREFIX, SHOWN_WITHIN))
    return {row["id"] for row in await cursor.fetchall()}


async def parents_of_rows(
    connection: AsyncConnection[Any], org_id: str, stream: Stream, ids: Sequence[str]
) -> dict[str, Mapping[str, str]]:
    """Live ones of these rows: id -> ids of the parents in their columns."""
    return await _live_rows(connection, org_id, stream, sql.SQL("id = ANY(%s)"), list(ids))


async def _live_rows(
    connection: AsyncConnection[Any], org_id: str, stream: Stream, condition: sql.Composable, value: Any
) -> dict[str, Mapping[str, str]]:
    placeholders = {name for path in stream.all_paths for name in placeholders_of(path)}
    named = sorted(name for name in placeholders if f"{name}_id" in stream.columns)
    columns = map(sql.Identifier, ["id", *(f"{name}_id" for name in named)])
    cursor = await connection.execute(
        sql.SQL("SELECT {} FROM {} AS present WHERE org_id = %s AND _deleted_at IS NULL AND {}").format(
            sql.SQL(", ").join(columns), raw_name(stream), condition
        ),
        (org_id, value),
    )
    rows = await cursor.fetchall()
    return {row["id"]: {name: row[f"{name}_id"] for name in named if row[f"{name}_id"]} for row in rows}
