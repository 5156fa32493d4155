"""A no-change sync of many small churches: wall time, CPU a church, requests.

    python -m benchmarks.fleet [--churches 1000] [--people 20] [--batch 250] [--polled 50]

The churches are twins: one is synced for true, and its rows and cursors are copied to the others, which the simulator
serves alike. Nothing has changed in them for a week, and everything was last read an hour ago. Then all of them are
due, a batch at a time, and the job `pco_sweep` is run as Dagster runs it, in a process of its own on Postgres storage:
what is measured is that process from its start to its end, Dagster in it, and Postgres. No rate limit, no latency.
Writes its section of benchmarks/RESULTS.md.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from psycopg import sql
from pydantic import SecretStr

from benchmarks.church import NO_LIMIT, Place, be_nice, fresh_place, postgres_cpu_seconds
from benchmarks.results import table, write_section
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.network.credentials import PersonalAccessToken
from openfaith_pipeline.simulator import SimulatorClient, made_up_churches, running_simulator

_COPIED: Final = """
SELECT c.table_schema, c.table_name, array_agg(c.column_name::text) FROM information_schema.columns AS c
JOIN information_schema.tables AS t USING (table_schema, table_name)
WHERE t.table_type = 'BASE TABLE' AND (c.table_schema LIKE 'pco\\_%' OR (c.table_schema, c.table_name)
      IN (('sync', 'stream_states'), ('sync', 'drift'))) AND c.is_identity = 'NO'
GROUP BY 1, 2 HAVING 'org_id' = ANY(array_agg(c.column_name::text))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--churches", type=int, default=1000)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument(
        "--polled", type=int, default=50, help="churches in which what is only listed whole is read too"
    )
    options = parser.parse_args()
    be_nice()
    usual: list[dict[str, Any]] = []
    polls: list[dict[str, Any]] = []
    with fresh_place() as place:
        made = made_up_churches(options.churches, people=options.people)
        twins = [replace(church, seed=made[0].seed) for church in made]
        for start in range(0, len(twins), options.batch):
            # The simulator keeps each church in memory; a batch is what it has to hold.
            with running_simulator(twins[start : start + options.batch], rate_limit=NO_LIMIT) as simulator:
                org_ids = _connect(place, simulator)
                if start == 0:
                    _first_sync(place, org_ids[0])
                    _let_rest(place)
                _copy(place, made[0].org_id, [org_id for org_id in org_ids if org_id != made[0].org_id])
                usual.append(_sweep(place, org_ids, is_poll=False))
                sys.stderr.write(f"{usual[-1]}\n")
                if options.polled and not polls:
                    # The twins' own records, of the organization, are not the copied ones: the first poll brings them.
                    _sweep(place, org_ids[: options.polled], is_poll=True)
                    polls.append(_sweep(place, org_ids[: options.polled], is_poll=True))
                    sys.stderr.write(f"{polls[-1]}\n")
    _report(usual, polls, options.people)


def _connect(place: Place, simulator: SimulatorClient) -> list[str]:
    churches = simulator.churches()
    cipher = cipher_from(place.database.settings)
    with place.database.connect() as connection:
        for church in churches:
            token = PersonalAccessToken(church["app_id"], SecretStr(church["secret"]))
            add_org(connection, cipher, church["org_id"], church["name"], token, api_url=simulator.url, adapter="pco")
    return [church["org_id"] for church in churches]


def _first_sync(place: Place, org_id: str) -> None:
    _set_due(place, [org_id])
    _run(place)
    for _ in range(2):  # until nothing changes any more
        _set_due(place, [org_id])
        done = _run(place)
    if done["orgs"] != 1 or done["orgs_changed"] or done["orgs_failed"]:
        raise SystemExit(f"the church to copy is not at rest: {done}")


def _let_rest(place: Place) -> None:
    """As if what was synced had been there for more than a week, unchanged."""
    with place.database.connect() as connection:
        for schema, name, columns in connection.execute(_COPIED).fetchall():
            if "_synced_at" in columns:
                connection.execute(
                    sql.SQL(
                        "UPDATE {} SET _synced_at = _synced_at - interval '8 days',"
                        " _first_seen_at = _first_seen_at - interval '8 days'"
                    ).format(sql.Identifier(schema, name))
                )


def _copy(place: Place, source: str, targets: Sequence[str]) -> None:
    """Give each target what the source has: its raw rows, their links, and where its syncs stand."""
    with place.database.connect() as connection:
        for schema, name, columns in connection.execute(_COPIED).fetchall():
            others = [column for column in columns if column != "org_id"]
            statement = sql.SQL(
                "INSERT INTO {table} (org_id, {others}) SELECT target, {others} FROM {table},"
                " unnest(%s::text[]) AS target WHERE org_id = %s ON CONFLICT DO NOTHING"
            ).format(table=sql.Identifier(schema, name), others=sql.SQL(", ").join(map(sql.Identifier, others)))
            connection.execute(statement, (list(targets), source))
    with place.database.connect(autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")


def _set_due(place: Place, org_ids: Sequence[str], *, is_poll: bool = True) -> None:
    """Let it be the turn of these orgs and of no other. is_poll: also of what can only be read whole."""
    with place.database.connect() as connection:
        connection.execute("DELETE FROM sync.org_schedules")
        connection.execute(
            "INSERT INTO sync.org_schedules (org_id, kind, next_at, polled_at)"
            " SELECT org_id, 'incremental', CASE WHEN org_id = ANY(%s) THEN now() ELSE now() + interval '1 day' END,"
            " CASE WHEN NOT %s THEN now() END FROM sync.orgs",
            (list(org_ids), is_poll),
        )


def _sweep(place: Place, org_ids: Sequence[str], *, is_poll: bool) -> dict[str, Any]:
    _set_due(place, org_ids, is_poll=is_poll)
    with place.database.connect() as connection:
        connection.execute("UPDATE sync.stream_states SET read_from = now() - interval '1 hour'")
    written = _rows_written(place)
    before = postgres_cpu_seconds(place)
    done = _run(place)
    done["postgres_cpu_seconds"] = postgres_cpu_seconds(place) - before
    done["rows_written"] = _rows_written(place) - written
    # A turn comes every quarter of an hour at the church's own minute: some have two, where a sweep takes minutes.
    if done["orgs"] < len(org_ids) or done["orgs_failed"]:
        raise SystemExit(f"not a sweep of {len(org_ids)} churches: {done}")
    return done


def _run(place: Place) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.sweeping_run"], env=place.environment, stdout=subprocess.PIPE, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _rows_written(place: Place) -> int:
    """Rows written so far in raw and canonical tables."""
    with place.database.connect(autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        [(rows,)] = connection.execute(
            "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_user_tables"
            " WHERE schemaname LIKE 'pco\\_%' OR schemaname = 'public'"
        ).fetchall()
    return int(rows)


_FIGURES: Final = {
    "churches": ("orgs", None),
    "CPU s a church, the run's process, Dagster included": ("cpu_seconds", 3),
    "CPU s a church, Postgres": ("postgres_cpu_seconds", 3),
    "wall s a church": ("seconds", 3),
    "requests a church": ("requests", 1),
    "rows written a church, raw and canonical": ("rows_written", 1),
}


def _report(usual: Sequence[dict[str, Any]], polls: Sequence[dict[str, Any]], people: int) -> None:
    head = ["figure", "a usual turn", "the hourly turn, which also reads what is only listed whole"]
    rows = [[name, *(_figure(turns, *what) for turns in (usual, polls))] for name, what in _FIGURES.items()]
    rows.append(
        ["peak MB of the process", *(max((row["megabytes"] for row in turns), default="") for turns in (usual, polls))]
    )
    churches = sum(row["orgs"] for row in usual)
    command = (
        f"`python -m benchmarks.fleet`: {churches} churches of {people} people, twins of one that was synced, nothing"
        " changed at the source for a week, no rate limit, no latency. Target: at most 0.5 CPU seconds a church."
    )
    body = f"{command}\n\n{table(head, rows)}"
    sys.stdout.write(body + "\n")
    write_section("c fleet", "c. No-change sync of many churches", body)


def _figure(turns: Sequence[dict[str, Any]], name: str, digits: int | None) -> str:
    total, orgs = sum(row[name] for row in turns), sum(row["orgs"] for row in turns)
    if digits is None or not orgs:
        return f"{total:,}"
    return f"{total / orgs:.{digits}f}"


if __name__ == "__main__":
    main()
