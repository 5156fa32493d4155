"""Stage a page: its rows, its quarantined records and the checkpoint after it, in one transaction."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from psycopg import AsyncConnection, sql
from psycopg.types.json import Jsonb

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Page, Record
from openfaith_pipeline.database.raw_tables import LINKS_COLUMN
from openfaith_pipeline.database.table_names import staging_name
from openfaith_pipeline.load.drift import Sightings
from openfaith_pipeline.load.erased import read_erased
from openfaith_pipeline.load.leases import RENEWAL, renew
from openfaith_pipeline.load.parentage import with_known_parents
from openfaith_pipeline.load.rows import EncodedRows, Issue, RowEncoder
from openfaith_pipeline.load.sessions import Session
from openfaith_pipeline.telemetry.spans import span

_COLUMNS_BEFORE = ("_stream_sync_id", "_page", "_position", "id")


async def commit_page(connection: AsyncConnection[Any], session: Session, page: Page) -> dict[str, int]:
    """Stage the page and move the checkpoint, in one transaction. Returns the number of rows staged, by stream.

    The session object is advanced only after the commit. Raises LeaseLost if another took over.
    """
    encoded: dict[str, EncodedRows] = {}
    before = (session.state, session.end, session.pages, session.withheld)
    session.state, session.end, session.pages = page.checkpoint, page.end, session.pages + page.pages
    try:
        with span("stage page", {"openfaith.page": session.pages}) as staging:
            async with connection.transaction():
                for stream in session.walk.streams:
                    if records := page.records.get(stream.name):
                        encoded[stream.name] = await encode_completed(connection, session, stream, records)
                        await stage(connection, session, stream, encoded[stream.name])
                session.withheld = _with(session.withheld, encoded)
                await _move_checkpoint(connection, session, page, encoded)
            staging.set_attribute("openfaith.rows", sum(len(rows.lines) for rows in encoded.values()))
    except BaseException:
        session.state, session.end, session.pages, session.withheld = before
        raise
    for name, rows in encoded.items():
        session.sightings.setdefault(name, Sightings()).add(rows)
    return {name: len(rows.lines) for name, rows in encoded.items()}


async def discard_reading(connection: AsyncConnection[Any], session: Session) -> None:
    """Reset the session to its first page for another reading; rows and quarantine entries of the last one are dropped.

    Raises LeaseLost if another took over.
    """
    before = (session.state, session.end, session.readings, session.withheld)
    session.state, session.end, session.readings, session.withheld = None, None, session.readings + 1, {}
    try:
        async with connection.transaction():
            await renew(connection, session.leases)
            for stream in session.walk.streams:
                await _drop_staged(connection, session, stream)
            await connection.execute(
                "UPDATE sync.stream_syncs SET checkpoint = %s WHERE id = %s",
                (session.checkpoint(), session.ids[session.names[0]]),
            )
    except BaseException:
        session.state, session.end, session.readings, session.withheld = before
        raise
    session.sightings.clear()
    session.named.clear()


async def _drop_staged(connection: AsyncConnection[Any], session: Session, stream: Stream) -> None:
    identifier = session.ids[stream.name]
    await connection.execute(
        sql.SQL("DELETE FROM {} WHERE _stream_sync_id = %s").format(staging_name(stream)), (identifier,)
    )
    await connection.execute(
        "DELETE FROM sync.quarantine WHERE org_id = %s AND stream = %s AND sync_id = %s",
        (session.org_id, stream.name, session.sync_id),
    )
    await connection.execute("UPDATE sync.stream_syncs SET fetched = 0, quarantined = 0 WHERE id = %s", (identifier,))


@cache
def encoder_of(stream: Stream) -> RowEncoder:
    """The stream's encoder, cached."""
    return RowEncoder(stream)


async def encode_completed(
    connection: AsyncConnection[Any], session: Session, stream: Stream, records: list[Record]
) -> EncodedRows:
    """The records as rows, with known parents if they name none, and without erased records."""
    records = await with_known_parents(connection, session, stream, records)
    if session.erased is None:
        # An erasure takes the streams' leases: while this session has them, none is added.
        session.erased = await read_erased(connection, session.org_id)
    if not session.erased:
        return encoder_of(stream).encode(records)
    admitted = session.erased.admit(stream, records)
    rows = encoder_of(stream).encode(admitted.records)
    rows.withheld = admitted.withheld
    return rows


def _with(withheld: Mapping[str, list[str]], encoded: Mapping[str, EncodedRows]) -> dict[str, list[str]]:
    more = {name: [mark.hex() for mark in rows.withheld] for name, rows in encoded.items() if rows.withheld}
    return {**withheld, **{name: [*withheld.get(name, ()), *marks] for name, marks in more.items()}}


async def stage(connection: AsyncConnection[Any], session: Session, stream: Stream, rows: EncodedRows) -> None:
    """Copy rows into the stream's staging table, as part of the session's current page."""
    if rows.lines:
        prefix = f"{session.ids[stream.name]}\t{session.pages}\t"
        async with connection.cursor() as cursor, cursor.copy(_copy_statement(stream)) as copy:
            await copy.write(prefix + prefix.join(rows.lines))
    if rows.issues:
        await quarantine(connection, session, stream, session.pages, rows.issues)


@cache
def _copy_statement(stream: Stream) -> bytes:
    links = (LINKS_COLUMN,) if stream.links else ()
    columns = (*_COLUMNS_BEFORE, *stream.columns, "_extra", *links, "_content_hash")
    copy = sql.SQL("COPY {} ({}) FROM STDIN")
    return copy.format(staging_name(stream), sql.SQL(", ").join(map(sql.Identifier, columns))).as_bytes()


async def quarantine(
    connection: AsyncConnection[Any], session: Session, stream: Stream, page: int, issues: list[Issue]
) -> None:
    """Store records and values that could not be loaded, with the reason."""
    session.quarantined.add(stream.name)
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO sync.quarantine (org_id, stream, sync_id, page, record_id, field, reason, record, parents)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s)",
            [
                (
                    session.org_id,
                    stream.name,
                    session.sync_id,
                    page,
                    issue.record_id,
                    issue.field,
                    issue.reason,
                    issue.record,
                    Jsonb(dict(issue.parents)) if issue.parents else None,
                )
                for issue in issues
            ],
        )


# A crash of the server may lose the last pages, rows and checkpoint alike: they are fetched again. Publishing waits for
# the disk, and so for everything before it.
_MOVE_CHECKPOINT: Final = sql.SQL(
    "WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS setting),"
    " held AS ({} RETURNING state.stream), moved AS ("
    "UPDATE sync.stream_syncs AS done SET checkpoint = page.checkpoint, pages = pages + %(pages)s,"
    " requests = done.requests + page.requests, waited_seconds = done.waited_seconds + page.waited,"
    " fetched = done.fetched + page.fetched, quarantined = done.quarantined + page.quarantined"
    " FROM unnest(%(ids)s::bigint[], %(checkpoints)s::jsonb[], %(requests)s::int[], %(waited)s::float8[],"
    " %(fetched)s::int[], %(quarantined)s::int[])"
    " AS page (id, checkpoint, requests, waited, fetched, quarantined) WHERE done.id = page.id)"
    " SELECT (SELECT count(*) FROM held) AS held, setting FROM quick"
).format(RENEWAL)


async def _move_checkpoint(
    connection: AsyncConnection[Any], session: Session, page: Page, encoded: Mapping[str, EncodedRows]
) -> None:
    """Advance the session by a page, if it still holds its streams; the checkpoint is stored with its first stream."""
    first, *others = session.names
    names = [first, *(name for name in others if name in encoded)]
    counts = [_counts(encoded.get(name)) for name in names]
    rest = len(names) - 1
    cursor = await connection.execute(
        _MOVE_CHECKPOINT,
        {
            **session.leases.parameters,
            "ids": [session.ids[name] for name in names],
            "pages": page.pages,
            "checkpoints": [session.checkpoint(), *[None] * rest],
            "requests": [page.requests, *[0] * rest],
            "waited": [page.waited_seconds, *[0.0] * rest],
            "fetched": [fetched for fetched, _ in counts],
            "quarantined": [quarantined for _, quarantined in counts],
        },
    )
    row = await cursor.fetchone()
    session.leases.check(row["held"] if row else 0)


def _counts(rows: EncodedRows | None) -> tuple[int, int]:
    """Numbers of rows fetched, and of records with quarantine entries."""
    if rows is None:
        return 0, 0
    whole = [issue for issue in rows.issues if issue.field is None]
    partly = {issue.record_id for issue in rows.issues if issue.field is not None}
    return len(rows.lines) + len(whole), len(whole) + len(partly)
