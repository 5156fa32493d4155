"""Removal of a person from the documents kept beside the tables: quarantine, deliveries, walks, reviews, reports."""

from collections.abc import Collection
from typing import Any, Final

from psycopg import Connection, sql
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Record
from openfaith_pipeline.database.table_names import staging_name
from openfaith_pipeline.load.erased import Erased
from openfaith_pipeline.load.left_out import forget_left_out
from openfaith_pipeline.load.withheld_deliveries import without_erased
from openfaith_pipeline.privacy.openfaith_rows import PersonEntities
from openfaith_pipeline.privacy.org_tables import bookkeeping_about
from openfaith_pipeline.privacy.person_records import PersonRecords
from openfaith_pipeline.sources import STREAMS

_UNPUBLISHED: Final = """
UPDATE sync.stream_syncs SET status = 'abandoned', checkpoint = NULL, finished_at = now(),
    error = 'a person was erased meanwhile; the next sync reads it again'
WHERE org_id = %s AND (status IN ('running', 'failed', 'planned') OR checkpoint IS NOT NULL) RETURNING id, stream
"""

_UNHOLD: Final = """
UPDATE sync.held_deletions AS held SET ids = left_over.ids,
    decision = CASE WHEN decision IS NULL AND left_over.ids = '{}' THEN 'lapsed' ELSE decision END,
    decided_at = CASE WHEN decision IS NULL AND left_over.ids = '{}' THEN now() ELSE decided_at END,
    decided_by = CASE WHEN decision IS NULL AND left_over.ids = '{}' THEN 'an erasure' ELSE decided_by END
FROM (SELECT each.id, ARRAY(SELECT unnest(each.ids) EXCEPT SELECT unnest(%(ids)s::text[])) AS ids
      FROM sync.held_deletions AS each
      WHERE each.org_id = %(org_id)s AND each.stream = %(stream)s AND each.ids && %(ids)s::text[]) AS left_over
WHERE held.id = left_over.id
"""


def remove_from_documents(
    connection: Connection[Any], records: PersonRecords, entities: PersonEntities, erased: Erased
) -> dict[str, int]:
    """Remove the person from everything that waits, or is kept for people to look at; returns counts by place.

    Unfinished walks and waiting plans of the org are dropped whole: their next reading withholds the person.
    """
    staged, walks = _drop_unpublished(connection, records.org_id)
    counts = {
        "staging": staged,
        "unfinished walks and plans": walks,
        "sync.quarantine": _clean_quarantine(connection, records.org_id, erased),
        "sync.webhook_deliveries": _clean_deliveries(connection, records.org_id, erased),
        "sync.held_deletions": 0,
        "sync.verifications": _clean_reports(connection, records, entities),
    }
    for table in bookkeeping_about(connection, "entity_id"):
        counts[table.full_name] = connection.execute(
            sql.SQL("DELETE FROM {} WHERE org_id = %s AND entity_id = ANY(%s)").format(table.identifier),
            (records.org_id, entities.ids),
        ).rowcount
    for stream in records.streams:
        asked = {"org_id": records.org_id, "stream": stream.name, "ids": records.ids(stream)}
        counts["sync.held_deletions"] += connection.execute(_UNHOLD, asked).rowcount
        children = [each.name for each in STREAMS.values() if stream.name in each.parents]
        forget_left_out(connection, records.org_id, children, asked["ids"])
    return {place: number for place, number in counts.items() if number}


def _drop_unpublished(connection: Connection[Any], org_id: str) -> tuple[int, int]:
    """Drop unfinished walks and waiting plans; returns the numbers of their staged rows and of walks."""
    by_stream: dict[str, list[int]] = {}
    for identifier, stream in connection.execute(_UNPUBLISHED, (org_id,)).fetchall():
        by_stream.setdefault(stream, []).append(identifier)
    rows = sum(
        connection.execute(
            sql.SQL("DELETE FROM {} WHERE _stream_sync_id = ANY(%s)").format(staging_name(STREAMS[name])), (ids,)
        ).rowcount
        for name, ids in by_stream.items()
        if name in STREAMS
    )
    return rows, sum(map(len, by_stream.values()))


def _clean_quarantine(connection: Connection[Any], org_id: str, erased: Erased) -> int:
    entries = connection.execute(
        "SELECT id, stream, record_id, record, parents FROM sync.quarantine WHERE org_id = %s", (org_id,)
    ).fetchall()
    cleaned = 0
    for identifier, name, record_id, record, parents in entries:
        stream, kept = STREAMS.get(name), None
        # Anything but a record could be about anybody, and so could a record of a stream unknown to this version.
        if stream is not None and isinstance(record, dict) and not erased.has(name, record_id):
            kept = _kept(stream, erased, Record(record, parents or {}))
        if kept is None:
            connection.execute("DELETE FROM sync.quarantine WHERE org_id = %s AND id = %s", (org_id, identifier))
        elif kept.resource != record or dict(kept.parents) != (parents or {}):
            connection.execute(
                "UPDATE sync.quarantine SET record = %s, parents = %s WHERE org_id = %s AND id = %s",
                (Jsonb(kept.resource), Jsonb(dict(kept.parents)) if kept.parents else None, org_id, identifier),
            )
        else:
            continue
        cleaned += 1
    return cleaned


def _clean_reports(connection: Connection[Any], records: PersonRecords, entities: PersonEntities) -> int:
    """Take the person out of the differences that reports of verifications name; their counts stay."""
    gone = {f"{tag} {external}" for (_, tag), ids in entities.links.items() for external in ids}
    ids = {*entities.ids}
    cleaned = 0
    with connection.cursor("reports_of_erased", row_factory=tuple_row) as cursor:
        cursor.execute("SELECT verification_id, report FROM sync.verifications WHERE org_id = %s", (records.org_id,))
        for identifier, report in cursor:
            named = [_name_nobody(part, records.own.get(name, ())) for name, part in report["streams"].items()]
            for part in report["canonical"].values():
                named += [_name_nobody(part, gone), _name_nobody(part, ids, by_word=True)]
            if any(named):
                cleaned += 1
                connection.execute(
                    "UPDATE sync.verifications SET report = %s WHERE verification_id = %s", (Jsonb(report), identifier)
                )
    return cleaned


def _name_nobody(part: dict[str, Any], gone: Collection[str], *, by_word: bool = False) -> bool:
    """Remove the examples of these ids; returns whether there were any. by_word: also where it is one of the words."""
    kept = [each for each in part["examples"] if {*(each["id"].split() if by_word else (each["id"],))}.isdisjoint(gone)]
    was_named, part["examples"] = len(kept) < len(part["examples"]), kept
    return was_named


def _kept(stream: Stream, erased: Erased, record: Record) -> Record | None:
    return next(iter(erased.admit(stream, [record]).records), None)


def _clean_deliveries(connection: Connection[Any], org_id: str, erased: Erased) -> int:
    cleaned = 0
    with connection.cursor("deliveries_of_erased", row_factory=tuple_row) as cursor:
        cursor.itersize = 500
        cursor.execute(
            "SELECT id, stream, record_id, payload FROM sync.webhook_deliveries WHERE org_id = %s", (org_id,)
        )
        for identifier, name, record_id, payload in cursor:
            document = without_erased(erased, name, record_id, bytes(payload))
            if document == bytes(payload):
                continue
            cleaned += 1
            _replace(connection, org_id, identifier, document)
    return cleaned


def _replace(connection: Connection[Any], org_id: str, identifier: int, document: bytes | None) -> None:
    if document is None:
        connection.execute("DELETE FROM sync.webhook_deliveries WHERE org_id = %s AND id = %s", (org_id, identifier))
    else:
        connection.execute(
            "UPDATE sync.webhook_deliveries SET payload = %s WHERE org_id = %s AND id = %s",
            (document, org_id, identifier),
        )
