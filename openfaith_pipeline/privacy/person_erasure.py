"""Erase a person: every record of theirs, everywhere, in one transaction, with a certificate of counts.

The org's streams are held meanwhile, so that nothing interleaves. Afterwards the tables are rewritten, for Postgres
keeps the bytes of deleted rows.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.database.dagster_previews import remove_from_previews
from openfaith_pipeline.database.reclaiming import Reclaimed
from openfaith_pipeline.database.table_names import STAGING_SCHEMA, staging_table_name
from openfaith_pipeline.journal.tables import tables_of_stream
from openfaith_pipeline.load.erased import erased_of
from openfaith_pipeline.load.leases import hold_org
from openfaith_pipeline.load.stream_states import recount_counted
from openfaith_pipeline.privacy.journal_entries import redact_journal
from openfaith_pipeline.privacy.kept_documents import remove_from_documents
from openfaith_pipeline.privacy.local_edits import forget_edits
from openfaith_pipeline.privacy.marks import add_counts, certify, mark_records
from openfaith_pipeline.privacy.openfaith_rows import PersonEntities, find_entities, remove_entities
from openfaith_pipeline.privacy.person_records import PersonRecords, check_known, find_person, find_records
from openfaith_pipeline.privacy.raw_rows import CLEARED, clear_references, remove_records
from openfaith_pipeline.privacy.unreclaimed import owe_rewriting, rewrite_owed
from openfaith_pipeline.sources import PERSONAL, STREAMS
from openfaith_pipeline.transform import SOURCES, take_turn, transform_org

_ALWAYS_REWRITTEN: Final = (
    "sync.journal",
    "sync.quarantine",
    "sync.webhook_deliveries",
    "sync.held_deletions",
    "sync.stream_syncs",
    "sync.untransformed",
    "dagster.event_logs",
)


@dataclass(frozen=True)
class Certificate:
    """Proof of an erasure.

    counts: by place, the rows removed, or cleared of a reference. reclaimed: None if it is only foreseen.
    """

    erasure_id: str
    org_id: str
    person_ids: tuple[str, ...]
    erased_by: str
    erased_at: datetime
    counts: dict[str, int]
    reclaimed: Reclaimed | None = field(default=None, compare=False)


Tell = Callable[[str], None]
"""Called with a progress message."""


def _quiet(_message: str) -> None: ...


def foresee_person_erasure(database: Database, org_id: str, name: str) -> Certificate:
    """A preview of the erasure: exactly the changes that it would make. Raises as `erase_person`."""
    with database.connect(autocommit=True) as connection, connection.transaction(force_rollback=True):
        return _erase(connection, database.settings.canonical_schema, org_id, name, "nobody", _quiet)[0]


def erase_person(database: Database, org_id: str, name: str, by: str, tell: Tell = _quiet) -> Certificate:
    """Erase a person of an org. name: an id of the source or of OpenFaith.

    Raises UsageError if nothing is stored of the person, and StreamBusy while a sync of the org is running.
    """
    with database.connect(autocommit=True) as connection:
        with connection.transaction():
            schema = database.settings.canonical_schema
            certificate, records = _erase(connection, schema, org_id, name, by, tell)
            tables = tables_to_rewrite(records, certificate.counts)
            owe_rewriting(connection, certificate.erasure_id, tables)
        tell("rewriting the tables, so that their files lose the values too")
        reclaimed = rewrite_owed(connection, certificate.erasure_id, tables)
    return Certificate(**{**vars(certificate), "reclaimed": reclaimed})


def _erase(
    connection: Connection[Any], schema: str, org_id: str, name: str, by: str, tell: Tell
) -> tuple[Certificate, PersonRecords]:
    erasure_id = str(uuid4())
    with org_held(connection, org_id, schema) as cursor:
        records = find_records(cursor, org_id, schema, find_person(cursor, org_id, schema, name))
        check_known(cursor, records)
        erased_at = certify(cursor, erasure_id, org_id, "person", by, {})
        counts = erase_records(cursor, records, erasure_id, tell)
        add_counts(connection, erasure_id, counts)
    return Certificate(erasure_id, org_id, records.person_ids, by, erased_at, counts), records


@contextmanager
def org_held(connection: Connection[Any], org_id: str, schema: str) -> Iterator[Cursor[Any]]:
    """A cursor in a transaction during which no sync of the org can write. Raises StreamBusy while one is running."""
    with connection.cursor(row_factory=tuple_row) as cursor, hold_org(connection, org_id, STREAMS):
        take_turn(cursor, org_id)
        # Changes that wait for the transform are not the erasure's.
        transform_org(connection, org_id, schema=schema, sync_id=str(uuid4()))
        yield cursor


def erase_records(cursor: Cursor[Any], records: PersonRecords, erasure_id: str, tell: Tell = _quiet) -> dict[str, int]:
    """Erase these records everywhere, and mark them. Needs the cursor of `org_held`, and a certificate of that id."""
    org_id, connection = records.org_id, cursor.connection
    tell(f"{org_id}: {sum(map(len, records.own.values()))} records to erase")
    counts = {"marks": mark_records(cursor, erasure_id, records)}
    entities = find_entities(cursor, records)
    counts |= _erase_rows(cursor, records, entities, erasure_id, tell)
    counts |= remove_from_documents(connection, records, entities, erased_of(connection, org_id))
    counts |= _clean_events(connection, records)
    for stream in records.streams:
        recount_counted(connection, org_id, stream)
    return counts


def _erase_rows(
    cursor: Cursor[Any], records: PersonRecords, entities: PersonEntities, erasure_id: str, tell: Tell
) -> dict[str, int]:
    org_id = records.org_id
    counts = clear_references(cursor, records, erasure_id)
    edits = forget_edits(cursor, records, erasure_id)
    counts |= remove_records(cursor, records)
    counts |= remove_entities(cursor, org_id, entities, erasure_id)
    tell(f"{org_id}: the OpenFaith tables follow")
    # Rows that it counts are gone without its knowing, so it compares everything.
    cursor.execute("DELETE FROM sync.transforms WHERE org_id = %s", (org_id,))
    transform_org(cursor.connection, org_id, schema=entities.schema, sync_id=erasure_id)
    tell(f"{org_id}: the journal")
    for place, number in (*redact_journal(cursor, records, entities, erasure_id).items(), *edits.items()):
        counts[place] = counts.get(place, 0) + number
    return {place: number for place, number in counts.items() if number}


def _clean_events(connection: Connection[Any], records: PersonRecords) -> dict[str, int]:
    """Take the person's rows, and those that named them, out of the previews in Dagster's events."""
    erased: dict[tuple[str, ...], dict[str, Collection[str]]] = {
        (stream.schema, stream.short_name): columns
        for stream in STREAMS.values()
        if (columns := dict(_preview_columns(records, stream)))
    }
    number = remove_from_previews(connection, records.org_id, erased)
    return {"dagster.event_logs": number} if number else {}


def _preview_columns(records: PersonRecords, stream: Stream) -> Iterable[tuple[str, Collection[str]]]:
    if stream.name in records.own:
        yield "id", records.own[stream.name]
    for name, target in stream.belongs_to.items():
        if target and PERSONAL.is_person(target):
            yield f"{name}_id", set(records.people.get(stream.adapter, ()))


def tables_to_rewrite(records: PersonRecords, counts: Iterable[str]) -> set[str]:
    """Every table that had values of the records, or may have kept their bytes."""
    schema = records.schema
    places = {place.removeprefix(CLEARED) for place in counts}
    streams = {stream for stream in STREAMS.values() if stream in records.streams or stream.raw_table in places}
    names = {table for stream in streams for table in tables_of_stream(stream)}
    names |= {f"{schema}.{name}" if name.startswith(CANONICAL_PREFIX) else name for name in places}
    # Each page was staged before it was published, and its bytes are still there.
    names |= {f"{STAGING_SCHEMA}.{staging_table_name(stream)}" for stream in STREAMS.values()}
    # The transform has written to those that a cleared record feeds, and the person's name was in their rows too.
    fed = {table for table, sources in SOURCES.items() if not {stream.name for stream in streams}.isdisjoint(sources)}
    names |= {f"{schema}.{CANONICAL_PREFIX}{table}" for table in {*fed, "externalLinks", "edges", "people"}}
    return names | set(_ALWAYS_REWRITTEN)
