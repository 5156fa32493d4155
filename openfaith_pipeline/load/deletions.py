"""Which rows a whole listing no longer shows, and whether the listing proves it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from psycopg import AsyncConnection, sql

from openfaith_pipeline.catalog.stream import Stream, placeholders_of
from openfaith_pipeline.database.table_names import raw_name, staging_name
from openfaith_pipeline.load.sessions import Session


@dataclass(frozen=True)
class Verdict:
    """What a finished walk proves; each of its streams by itself.

    deletions: by stream name, the ids proven to be gone.
    under: by stream name, the ids that are gone with them, because they were under them.
    held: by stream name, the ids that are too many to be believed; objections: why, in words.
    returning: by stream name, the records that came back with what they are under, each with the ids of its parents.
    unsettled: streams of which more may have come back than was asked for.
    doubts: by stream name, why it could not be proven complete.
    withheld: by stream name, what the source may not have shown, though it refused nothing; such rows stay.
    failing: by stream name, what of it could not be read; refused: what may not be. Those rows stay, the next sync
        tries again, and the others of the stream are judged.
    proven: streams of which everything was read, and what is gone was looked for.
    requests: how many it took to prove it.
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
        """Why the stream does not end as succeeded, None where it does."""
        told = (self.doubts, self.objections, self.failing, self.withheld, self.refused)
        return "; ".join(reasons[stream] for reasons in told if stream in reasons) or None

    def is_judged(self, stream: str) -> bool:
        """Whether nothing is against looking for deletions of the stream."""
        return not any(stream in reasons for reasons in (self.doubts, self.objections, self.withheld))

    def status(self, stream: str) -> str:
        """How the stream ends once it is published."""
        if any(stream in reasons for reasons in (self.doubts, self.objections, self.failing)):
            return "incomplete"
        return "withheld" if stream in self.withheld or stream in self.refused else "succeeded"

    def told(self, stream: str) -> dict[str, Any]:
        """What the stream's result says of the verdict."""
        return {"error": self.reason(stream), "held": len(self.held.get(stream, ()))}


class Accounting(NamedTuple):
    """What a finished walk staged of a stream.

    staged: distinct records. rows: how often one was read.
    broken: records in quarantine as a whole; they exist at the source, though some have no id to be known by.
    """

    staged: int
    broken: int
    rows: int


async def account(connection: AsyncConnection[Any], session: Session, stream: Stream) -> Accounting:
    """Count what was read of the stream."""
    cursor = await connection.execute(
        _account_statement(stream), (session.org_id, stream.name, session.sync_id, session.ids[stream.name])
    )
    row = await cursor.fetchone() or {"staged": 0, "broken": 0, "rows": 0}
    return Accounting(row["staged"], row["broken"], row["rows"])


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
    """Rows that are published but were not staged: id -> the ids of those parents that their rows name."""
    condition = sql.SQL(
        "NOT EXISTS (SELECT FROM {} AS staged WHERE staged._stream_sync_id = %s AND staged.id = present.id)"
    ).format(staging_name(stream))
    return await _live_rows(connection, session.org_id, stream, condition, session.ids[stream.name])


async def parents_of_rows(
    connection: AsyncConnection[Any], org_id: str, stream: Stream, ids: Sequence[str]
) -> dict[str, Mapping[str, str]]:
    """Of these rows the live ones: id -> the ids of those parents that their rows name."""
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
