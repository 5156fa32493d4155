"""Replay quarantined records with the declarations of this version.

Records that fit now are published like any other, under the streams' leases; newer published versions are left alone.
The others stay in quarantine, with their current reasons.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any, Final
from uuid import uuid4

import psycopg

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Record
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.refusals import REFUSED_BY_POSTGRES, refusal_in_words
from openfaith_pipeline.errors import OpenFaithError
from openfaith_pipeline.load.arrivals import Row, present_rows, publish_arrivals
from openfaith_pipeline.load.leases import lock_stream
from openfaith_pipeline.load.rows import EncodedRows
from openfaith_pipeline.load.sessions import REPLAYED, SyncRequest
from openfaith_pipeline.load.staging import encoder_of
from openfaith_pipeline.load.sync_leases import lease_kept
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, finish_sync
from openfaith_pipeline.review.quarantine import Quarantined, restate, settle
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.worker import at_work
from openfaith_pipeline.transform import SOURCES, transform_org

Connection = psycopg.AsyncConnection[Any]

_UNKNOWN: Final = "this version knows no such stream"


@dataclass
class Replayed:
    """Outcome for the entries of one stream of one org.

    settled: values that are published now. overtaken: resolved, since the record was read again, or deleted, later.
    left: still wrong. waiting: their sync has not ended, so they were not touched.
    published: rows written. error: why nothing could be done.
    """

    org_id: str
    stream: str
    settled: int = 0
    overtaken: int = 0
    left: int = 0
    waiting: int = 0
    published: int = 0
    error: str | None = None


@dataclass
class _Case:
    """A record and all its open entries, the newest last."""

    entries: list[Quarantined]
    record: Record
    encoded: EncodedRows = field(default_factory=EncodedRows)

    @property
    def reasons(self) -> Mapping[str | None, str]:
        """Current reasons by field; key None for the whole record."""
        return {issue.field: issue.reason for issue in self.encoded.issues}

    @property
    def is_better(self) -> bool:
        return bool(self.encoded.lines) and any(entry.field not in self.reasons for entry in self.entries)


async def replay(database: Database, entries: Sequence[Quarantined], *, sync_id: str) -> list[Replayed]:
    """Replay the entries, and update the OpenFaith tables from the published rows. The sync must have been begun.

    Failures of a stream are in its result. Raises DatabaseUnavailable if Postgres goes away.
    """
    results: list[Replayed] = []
    for (org_id, name), found in groupby(entries, lambda entry: (entry.org_id, entry.stream)):
        results.append(await _replay_stream(database, org_id, name, list(found), sync_id))
    return results


def replay_as_sync(
    database: Database, entries: Sequence[Quarantined], *, trigger: str
) -> tuple[str | None, list[Replayed]]:
    """Replay as a sync of its own; its id (None without entries), and the results."""
    if not entries:
        return None, []
    sync_id = str(uuid4())
    asked = {"orgs": sorted({entry.org_id for entry in entries}), "entries": len(entries)}
    with database.connect() as connection:
        begin_sync(connection, SyncStart(sync_id, None, REPLAYED, trigger, asked))
    with lease_kept(database, sync_id):
        results = asyncio.run(replay(database, entries, sync_id=sync_id))
    failed = [f"{result.stream}: {result.error}" for result in results if result.error]
    with database.connect() as connection:
        finish_sync(connection, sync_id, "; ".join(failed) or None)
    return sync_id, results


async def _replay_stream(
    database: Database, org_id: str, name: str, entries: list[Quarantined], sync_id: str
) -> Replayed:
    result = Replayed(org_id, name, waiting=sum(entry.is_waiting for entry in entries))
    ready = [entry for entry in entries if not entry.is_waiting]
    if name not in STREAMS:
        result.error = _UNKNOWN
        return result
    try:
        async with at_work(database, org_id) as place, place.pool.connection() as connection:
            request = SyncRequest(org_id, sync_id, REPLAYED, place.holder)
            async with connection.transaction():
                await _settle_all(connection, request, STREAMS[name], ready, result)
        if result.published:
            await asyncio.to_thread(_transform, database, org_id, name, sync_id)
    except REFUSED_BY_POSTGRES as error:
        result.error = refusal_in_words(error)
    except OpenFaithError as error:
        result.error = str(error)
    return result


async def _settle_all(
    connection: Connection, request: SyncRequest, stream: Stream, entries: list[Quarantined], result: Replayed
) -> None:
    # Decisions based on the rows stay valid until they are written: nobody else publishes meanwhile.
    await lock_stream(connection, request.org_id, stream.name)
    ids = [str(entry.record["id"]) for entry in entries if isinstance(entry.record, dict) and "id" in entry.record]
    rows = await present_rows(connection, request.org_id, stream, ids)
    better: list[_Case] = []
    for case in _cases(stream, entries, rows):
        if _is_overtaken(case, rows):
            result.overtaken += len(case.entries)
            await settle(connection, case.entries)
        elif case.is_better:
            result.settled += sum(entry.field not in case.reasons for entry in case.entries)
            result.left += len(case.reasons)
            better.append(case)
        else:
            result.left += len(case.entries)
            await restate(connection, [(entry, case.reasons.get(entry.field)) for entry in case.entries])
    if better:
        # Remaining problems of these get new entries.
        await settle(connection, [entry for case in better for entry in case.entries])
        records = {stream.name: [case.record for case in better]}
        published = await publish_arrivals(connection, request, [stream], records, {})
        result.published = published[stream.name].inserted + published[stream.name].updated


def _cases(stream: Stream, entries: list[Quarantined], rows: Mapping[str, Row]) -> list[_Case]:
    """Group the entries by record; an entry without a usable id stands alone."""
    by_record: dict[str | int, list[Quarantined]] = {}
    for entry in entries:
        key = entry.id if entry.field is None else entry.record_id or entry.id
        by_record.setdefault(key, []).append(entry)
    cases = []
    for about in by_record.values():
        newest = about[-1]
        row = rows.get(str(newest.record.get("id"))) if isinstance(newest.record, dict) else None
        record = Record(newest.record, newest.parents or _parents_in(stream, row))
        cases.append(_Case(about, record, encoder_of(stream).encode([record])))
    return cases


def _parents_in(stream: Stream, row: Row | None) -> Mapping[str, str]:
    """Parents from the record's row, for entries of earlier versions, which lack them."""
    named = {name: row.get(f"{name}_id") for name in stream.belongs_to} if row else {}
    return {name: identifier for name, identifier in named.items() if identifier}


def _is_overtaken(case: _Case, rows: Mapping[str, Row]) -> bool:
    """Whether the row was written by another sync after the one that met the record."""
    newest, resource = case.entries[-1], case.record.resource
    row = rows.get(str(resource.get("id"))) if isinstance(resource, dict) else None
    if row is None or row["_sync_id"] == newest.sync_id:
        return False
    return datetime.fromisoformat(row["_synced_at"]) > newest.created_at


def _transform(database: Database, org_id: str, stream: str, sync_id: str) -> None:
    if not any(stream in sources for sources in SOURCES.values()):
        return
    with database.connect() as connection:
        transform_org(connection, org_id, schema=database.settings.canonical_schema, sync_id=sync_id)
