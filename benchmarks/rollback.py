"""Rolling back a sync of 100,000 changed rows: seconds, and whether every table is afterwards what it was before.

    python -m benchmarks.rollback [--rows 100000]

Made-up rows are staged and published as a sync does it, once as a first load and once with each of them changed, and
the OpenFaith tables made of them each time; so the second sync has changed about four times as many rows: raw ones, of
OpenFaith, links, edges. Then the second sync is rolled back. Tables are compared by a digest of all rows, all columns.
Writes its section of benchmarks/RESULTS.md, and exits with 1 where a table differs.
"""

import argparse
import asyncio
import sys
import time
from typing import Any

from psycopg import AsyncConnection, Connection, sql
from psycopg.rows import dict_row

from benchmarks.church import be_nice, fresh_place
from benchmarks.results import table, write_section
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk_planner import plan_walks
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.table_names import staging_name
from openfaith_pipeline.load.deletions import Verdict
from openfaith_pipeline.load.leases import holding
from openfaith_pipeline.load.publishing import publish
from openfaith_pipeline.load.sessions import SyncRequest, open_session
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, finish_sync
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.rollback import RollbackOrder, roll_back
from openfaith_pipeline.transform import TABLES, transform_org

ORG_ID = "org_01k5t0w2m1e9qv4y8z3n7b6c5d"
SHARES = {"people.people": 0.4, "people.emails": 0.3, "people.phone_numbers": 0.3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    be_nice()
    with fresh_place() as place, place.database.connect(autocommit=True) as connection:
        database = place.database
        _sync(database, connection, "first", options.rows, "before")
        before = _digests(database, connection)
        seconds = {
            "publishing and transforming the changes": _sync(database, connection, "second", options.rows, "after")
        }
        changed = _digests(database, connection)
        seconds["rolling back"], undone = _timed_rollback(database)
        after = _digests(database, connection)
        seconds["as_of, every person before the change"] = _timed_as_of(connection)
    unequal = [name for name in before if before[name] != after[name]]
    unchanged = [name for name in SHARES if before[_raw(name)] == changed[_raw(name)]]
    body = _told(options.rows, undone, seconds, unequal)
    sys.stdout.write(body + "\n")
    write_section("g rollback", "g. Rolling back a sync", body)
    sys.exit(1 if unequal or unchanged else 0)


def _sync(database: Database, connection: Connection[Any], sync_id: str, rows: int, word: str) -> float:
    begin_sync(connection, SyncStart(sync_id, None, "reconcile", "benchmark", {}))
    started = time.perf_counter()
    asyncio.run(_publish(database, sync_id, rows, word))
    with connection.transaction():
        transform_org(connection, ORG_ID, schema=database.settings.canonical_schema, sync_id=sync_id)
    seconds = time.perf_counter() - started
    finish_sync(connection, sync_id)
    return seconds


async def _publish(database: Database, sync_id: str, rows: int, word: str) -> None:
    streams = [STREAMS[name] for name in SHARES]
    async with database.pool(size=3, row_factory=dict_row) as pool, holding(pool) as holder:
        request = SyncRequest(ORG_ID, sync_id, "reconcile", holder)
        for walk in plan_walks(streams, STREAMS, is_full=True):
            async with pool.connection() as connection:
                session = await open_session(connection, request, walk, is_anew=True)
                for stream in walk.streams:
                    await _stage(connection, stream, session.ids[stream.name], int(rows * SHARES[stream.name]), word)
                await publish(connection, session, Verdict())


async def _stage(connection: AsyncConnection[Any], stream: Stream, stream_sync_id: int, rows: int, word: str) -> None:
    """Rows whose texts and numbers follow from their id and the word; each belongs to the person of its id."""
    known = {"person_id": "n::text", "primary": "n %% 2 = 0", "status": "'active'", "created_at": "now()"}
    texts = {name: f"'{word} ' || n" for name, kind in stream.attributes.items() if kind.value == "text"}
    filled = {name: value for name, value in {**texts, **known}.items() if name in stream.columns}
    names = sql.SQL(", ").join(map(sql.Identifier, filled))
    values = sql.SQL(", ").join(sql.SQL(value) for value in filled.values())  # type: ignore[arg-type]
    await connection.execute(
        sql.SQL(
            "INSERT INTO {} (_stream_sync_id, _page, _position, id, {}, _content_hash)"
            " SELECT %(id)s, n / 100, n %% 100, n::text, {}, sha256((%(word)s || n)::bytea)"
            " FROM generate_series(1, %(rows)s) AS n"
        ).format(staging_name(stream), names, values),
        {"id": stream_sync_id, "word": word, "rows": rows},
    )


def _timed_rollback(database: Database) -> tuple[float, int]:
    started = time.perf_counter()
    [undone] = roll_back(database, RollbackOrder("second"), tell=lambda text: print(text, file=sys.stderr))
    return time.perf_counter() - started, undone.rows


def _timed_as_of(connection: Connection[Any]) -> float:
    [moment] = connection.execute("SELECT finished_at FROM sync.syncs WHERE sync_id = 'first'").fetchone() or [None]
    started = time.perf_counter()
    statement = "SELECT count(*) FROM sync.as_of(NULL::pco_people.people, %s, %s) WHERE last_name LIKE 'before%%'"
    connection.execute(statement, (ORG_ID, moment)).fetchone()
    return time.perf_counter() - started


def _digests(database: Database, connection: Connection[Any]) -> dict[str, Any]:
    """By table, the number of rows and a digest of all of them."""
    names = [_raw(name) for name in SHARES]
    names += [f"{database.settings.canonical_schema}.openfaith_{table}" for table in TABLES]
    return {name: _digest(connection, sql.Identifier(*name.split("."))) for name in names}


def _digest(connection: Connection[Any], name: sql.Identifier) -> Any:
    return connection.execute(
        sql.SQL(
            "SELECT count(*), md5(string_agg(row, '' ORDER BY row)) FROM"
            " (SELECT md5(present::text) AS row FROM {} AS present) AS rows"
        ).format(name)
    ).fetchone()


def _raw(stream: str) -> str:
    return f"{STREAMS[stream].schema}.{STREAMS[stream].short_name}"


def _told(rows: int, undone: int, seconds: dict[str, float], unequal: list[str]) -> str:
    listing = table(("what", "seconds"), [(what, f"{took:.1f}") for what, took in seconds.items()])
    verdict = f"differ: {', '.join(unequal)}" if unequal else "are bit by bit what they were before the sync"
    return (
        f"`python -m benchmarks.rollback --rows {rows}`: {rows:,} raw rows changed by one sync; the rollback gave"
        f" {undone:,} rows back what they were, raw and OpenFaith ones. All tables {verdict}.\n\n{listing}"
    )


if __name__ == "__main__":
    main()
