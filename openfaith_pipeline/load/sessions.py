"""The life of one walk of one org in Postgres: lease, checkpoint and outcome.

A session holds the lease of each of its streams, see `leases`. A session that is found unfinished is continued from its
last committed page when it was reading the same thing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection, sql
from psycopg.types.json import Jsonb

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import RESUMABLE_FOR, Checkpoint, End, Route, Walk
from openfaith_pipeline.database.table_names import staging_name
from openfaith_pipeline.errors import PlanStale
from openfaith_pipeline.load.drift import Sightings
from openfaith_pipeline.load.erased import Erased
from openfaith_pipeline.load.leases import Leases, lock_streams, release, take_leases

ARRIVED = "webhook"
"""Recorded mode of records that arrived singly: no walk that could be continued."""

ARRIVED_PREFIX = "webhook_"
"""Prefix of the ids of syncs with that mode."""

REPLAYED = "replay"
"""Recorded mode of records replayed from quarantine."""


@dataclass(frozen=True)
class SyncRequest:
    """The sync and org that an attempt works on.

    mode: a SyncMode's value, for the record. holder: name under which the attempt holds leases.
    """

    org_id: str
    sync_id: str
    mode: str
    holder: str


@dataclass
class Session:
    """One walk under way.

    ids: by stream name, the row of `sync.stream_syncs` that its staged rows carry.
    starts: by lead, the cursor from which on changes are read, None for the beginning of time.
    state: the extraction's checkpoint, None at the beginning.
    end: how the walk ended, once its last page is committed.
    readings: how often it was begun from its first page.
    sightings: by stream name, the attributes that this attempt saw.
    named: by stream name, the parents that records staged by this attempt have told. is_resumed: an earlier attempt
        has staged others, in so many pages_before.
    quarantined: the streams with records that this attempt has entered in quarantine.
    erased: the org's erased records, once they were needed.
    withheld: by stream name, the marks (in hexadecimal) of erased records that were listed, once for each listing.
    """

    request: SyncRequest
    walk: Walk
    ids: Mapping[str, int]
    leases: Leases
    starts: Mapping[str, datetime | None]
    started_at: datetime
    state: Checkpoint | None = None
    end: End | None = None
    pages: int = 0
    readings: int = 1
    sightings: dict[str, Sightings] = field(default_factory=dict)
    named: dict[str, set[str]] = field(default_factory=dict)
    is_resumed: bool = False
    pages_before: int = 0
    quarantined: set[str] = field(default_factory=set)
    erased: Erased | None = None
    withheld: dict[str, list[str]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return list(self.ids)

    @property
    def org_id(self) -> str:
        return self.request.org_id

    @property
    def sync_id(self) -> str:
        return self.request.sync_id

    @property
    def journaled_as(self) -> dict[str, str]:
        """Parameters of journaled statements."""
        return {"org_id": self.org_id, "sync_id": self.sync_id, "cause": self.request.mode}

    def checkpoint(self) -> Jsonb:
        """State for the next attempt, as stored."""
        end = None if self.end is None else asdict(self.end)
        place = {"state": self.state, "end": end, "pages": self.pages, "readings": self.readings}
        place |= {"withheld": self.withheld} if self.withheld else {}
        return Jsonb({"signature": self.walk.signature, **place})


async def open_session(connection: AsyncConnection[Any], request: SyncRequest, walk: Walk, *, is_anew: bool) -> Session:
    """Take the leases, and continue the unfinished walk of these streams or begin one.

    is_anew: abandon an unfinished walk of another sync in any case; one with another signature is always abandoned.
    Raises StreamBusy if a live sync holds one of the streams.
    """
    names = [stream.name for stream in walk.streams]
    async with connection.transaction():
        starts = _starts(walk, await _lock(connection, request, walk))
        leases = await take_leases(connection, request.org_id, request.holder, names)
        unfinished = await _unfinished(connection, request.org_id, names)
        found = [row for row in unfinished if row["may_go_on"]]
        stored = next((row["checkpoint"] for row in found if row["checkpoint"]), None)
        is_foreign = any(row["sync_id"] != request.sync_id for row in found)
        is_same = len(found) == len(names) and (stored or {}).get("signature") == walk.signature
        if stored and is_same and not (is_anew and is_foreign):
            await _adopt(connection, request, found)
            end = None if stored["end"] is None else End.read(stored["end"])
            resumed = {**_place_in(stored), "end": end, "is_resumed": True, "pages_before": stored["pages"]}
        else:
            await _abandon(connection, request.org_id, walk.streams, unfinished)
            found = await _begin(connection, request, walk)
            resumed = {}
    ids = {name: next(row["id"] for row in found if row["stream"] == name) for name in names}
    started_at = min(row["started_at"] for row in found)
    return Session(request, walk, ids, leases, starts, started_at, **resumed)


async def open_planned(connection: AsyncConnection[Any], request: SyncRequest, walk: Walk) -> Session:
    """Take the leases of a planned walk of the request's sync, in its state at the end of reading.

    Raises StreamBusy if a live sync holds one of the streams, and PlanStale if the plan no longer exists.
    """
    names = [stream.name for stream in walk.streams]
    async with connection.transaction():
        starts = _starts(walk, await _lock(connection, request, walk))
        cursor = await connection.execute(
            "SELECT id, stream, checkpoint, started_at FROM sync.stream_syncs"
            " WHERE sync_id = %s AND org_id = %s AND stream = ANY(%s) AND status = 'planned' ORDER BY id",
            (request.sync_id, request.org_id, names),
        )
        planned = await cursor.fetchall()
        if len(planned) != len(names):
            raise PlanStale(f"the plan of {', '.join(names)} was discarded or expired; make a new one")
        leases = await take_leases(connection, request.org_id, request.holder, names)
    stored = next(row["checkpoint"] for row in planned if row["checkpoint"])
    ids = {name: next(row["id"] for row in planned if row["stream"] == name) for name in names}
    started_at = min(row["started_at"] for row in planned)
    read = {**_place_in(stored), "end": End.read(stored["end"]), "is_resumed": True}
    return Session(request, walk, ids, leases, starts, started_at, **read)


def _place_in(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The position that a session had reached."""
    place = {name: stored[name] for name in ("state", "pages", "readings")}
    return {**place, "withheld": stored.get("withheld", {})}


async def open_beside(connection: AsyncConnection[Any], request: SyncRequest, walk: Walk) -> Session:
    """Take the leases for records that arrived singly, in the caller's transaction.

    An unfinished walk of these streams can still be continued. Raises StreamBusy as `open_session`.
    """
    names = [stream.name for stream in walk.streams]
    await lock_streams(connection, request.org_id, names)
    leases = await take_leases(connection, request.org_id, request.holder, names)
    # Nobody holds the streams, so any session recorded as reading them is gone.
    await connection.execute(
        "UPDATE sync.stream_syncs SET status = 'failed', error = 'its process ended', finished_at = now()"
        " WHERE org_id = %s AND stream = ANY(%s) AND status = 'running'",
        (request.org_id, names),
    )
    begun = await _begin(connection, request, walk)
    ids = {row["stream"]: row["id"] for row in begun}
    return Session(request, walk, ids, leases, {}, begun[0]["started_at"])


async def _lock(connection: AsyncConnection[Any], request: SyncRequest, walk: Walk) -> dict[str, datetime | None]:
    names, leads = [stream.name for stream in walk.streams], [lead.name for lead in walk.leads]
    return await lock_streams(connection, request.org_id, names, leads)


def _starts(walk: Walk, own: Mapping[str, datetime | None]) -> dict[str, datetime | None]:
    """Start of each lead's changes: the earliest start among its own and those of streams read with it."""
    starts: dict[str, datetime | None] = {}
    for route in walk.routes:
        beginnings = [own[name] for name in (route.lead.name, *(stream.name for stream in joined_with(route)))]
        known = [moment for moment in beginnings if moment is not None]
        starts[route.lead.name] = min(known) if len(known) == len(beginnings) else None
    return starts


def joined_with(route: Route) -> list[Stream]:
    """Streams read with the route's lead that have a cursor of their own."""
    return [each.stream for each in route.carried if each.stream.comes_with and each.stream.cursor]


async def _unfinished(connection: AsyncConnection[Any], org_id: str, names: list[str]) -> list[dict[str, Any]]:
    """Unfinished walks of these streams; `may_go_on`: whether it may be continued."""
    cursor = await connection.execute(
        "SELECT id, stream, sync_id, checkpoint, started_at, started_at > now() - %(resumable_for)s"
        " AND mode <> ALL(%(passing)s) AND NOT EXISTS (SELECT FROM sync.stream_syncs AS later"
        " WHERE later.org_id = done.org_id AND later.stream = done.stream AND later.id > done.id"
        " AND later.mode <> ALL(%(passing)s)) AS may_go_on FROM sync.stream_syncs AS done"
        " WHERE org_id = %(org_id)s AND stream = ANY(%(names)s) AND status IN ('running', 'failed')",
        {"resumable_for": RESUMABLE_FOR, "passing": [ARRIVED, REPLAYED], "org_id": org_id, "names": names},
    )
    return await cursor.fetchall()


# One sync may be of many orgs, and have read and published the stream once before.
_QUARANTINED: Final = (
    "org_id = %(org_id)s AND stream = %(stream)s AND sync_id = %(sync_id)s AND created_at >= %(started_at)s"
    " AND resolved_at IS NULL"
)
_ADOPT_QUARANTINED: Final = f"UPDATE sync.quarantine SET sync_id = %(adopting)s WHERE {_QUARANTINED}"  # noqa: S608 - a part of ours
_FORGET_QUARANTINED: Final = f"DELETE FROM sync.quarantine WHERE {_QUARANTINED}"  # noqa: S608 - a part of ours


async def _adopt(connection: AsyncConnection[Any], request: SyncRequest, found: list[dict[str, Any]]) -> None:
    await connection.execute(
        "UPDATE sync.stream_syncs SET status = 'running', sync_id = %s, error = NULL, finished_at = NULL"
        " WHERE id = ANY(%s)",
        (request.sync_id, [row["id"] for row in found]),
    )
    for row in found:
        asked = {**row, "org_id": request.org_id, "adopting": request.sync_id}
        await connection.execute(_ADOPT_QUARANTINED, asked)


async def _abandon(
    connection: AsyncConnection[Any],
    org_id: str,
    streams: Sequence[Stream],
    unfinished: Sequence[Mapping[str, Any]],
) -> None:
    """Abandon unfinished walks of these streams, with their staged rows and their entries in quarantine.

    Nothing of them was published, so whatever reads the streams next meets the same records, and enters them again.
    """
    if not unfinished:
        return
    for row in unfinished:
        await connection.execute(_FORGET_QUARANTINED, {**row, "org_id": org_id})
    await connection.execute(
        "UPDATE sync.stream_syncs SET status = 'abandoned', finished_at = now() WHERE id = ANY(%s)",
        ([row["id"] for row in unfinished],),
    )
    for stream in streams:
        await connection.execute(
            sql.SQL("DELETE FROM {} WHERE _stream_sync_id = ANY(%s)").format(staging_name(stream)),
            ([row["id"] for row in unfinished if row["stream"] == stream.name],),
        )


async def _begin(connection: AsyncConnection[Any], request: SyncRequest, walk: Walk) -> list[dict[str, Any]]:
    names = [stream.name for stream in walk.streams]
    listed = {lead.name for lead in walk.leads}
    leads = [name if name in listed or not listed else walk.leads[0].name for name in names]
    cursor = await connection.execute(
        "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status)"
        " SELECT %s, %s, stream, lead, %s, 'running' FROM unnest(%s::text[], %s::text[]) AS walk (stream, lead)"
        " RETURNING id, stream, started_at",
        (request.sync_id, request.org_id, request.mode, names, leads),
    )
    return await cursor.fetchall()


async def close_session(connection: AsyncConnection[Any], session: Session, status: str, error: str | None) -> None:
    """Record that the walk did not succeed and release its leases; staged rows stay for the next attempt.

    Nothing is recorded if another session has taken over.
    """
    async with connection.transaction():
        held = await release(connection, session.leases)
        await connection.execute(
            "UPDATE sync.stream_syncs SET status = %s, error = %s, finished_at = now()"
            " WHERE id = ANY(%s) AND status = 'running'",
            (status, error, [session.ids[name] for name in held]),
        )
