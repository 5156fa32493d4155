"""A no-change sync of many small churches: wall time, CPU a church, requests.

    python -m benchmarks.fleet [--churches 1000] [--people 20] [--batch 250]

The churches are twins: one is synced for true, and its rows and cursors are copied to the others, which the simulator
serves alike. Then all of them are due, a batch at a time, and the job `pco_sweep` is run as Dagster runs it, in a
process of its own on Postgres storage: what is measured is that process from its start to its end, Dagster in it, and
Postgres. No rate limit, no latency. Writes its section of benchmarks/RESULTS.md.
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
from openfaith_pipeline.orgs.cipher import cipher_from
from openfaith_pipeline.orgs.registry import add_org
from openfaith_pipeline.planning_center.credentials import PersonalAccessToken
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
    options = parser.parse_args()
    be_nice()
    rows: list[dict[str, Any]] = []
    with fresh_place() as place:
        made = made_up_churches(options.churches, people=options.people)
        twins = [replace(church, seed=made[0].seed) for church in made]
        for start in range(0, len(twins), options.batch):
            # The simulator keeps each church in memory; a batch is what it has to hold.
            with running_simulator(twins[start : start + options.batch], rate_limit=NO_LIMIT) as simulator:
                org_ids = _connect(place, simulator)
                if start == 0:
                    _first_sync(place, org_ids[0])
                _copy(place, made[0].org_id, [org_id for org_id in org_ids if org_id != made[0].org_id])
                rows.append(_sweep(place, org_ids))
                sys.stderr.write(f"{rows[-1]}\n")
    _report(rows, options.people)


def _connect(place: Place, simulator: SimulatorClient) -> list[str]:
    churches = simulator.churches()
    cipher = cipher_from(place.database.settings)
    with place.database.connect() as connection:
        for church in churches:
            token = PersonalAccessToken(church["app_id"], SecretStr(church["secret"]))
            add_org(connection, cipher, church["org_id"], church["name"], token, api_url=simulator.url)
    return [church["org_id"] for church in churches]


def _first_sync(place: Place, org_id: str) -> None:
    _set_due(place, [org_id])
    _run(place)
    for _ in range(2):  # until nothing changes any more
        _set_due(place, [org_id])
        done = _run(place)
    if done["orgs"] != 1 or done["orgs_changed"] or done["orgs_failed"]:
        raise SystemExit(f"the church to copy is not at rest: {done}")


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


def _set_due(place: Place, org_ids: Sequence[str]) -> None:
    """Let it be the turn of these orgs and of no other."""
    with place.database.connect() as connection:
        connection.execute("DELETE FROM sync.org_schedules")
        connection.execute(
            "INSERT INTO sync.org_schedules (org_id, kind, next_at)"
            " SELECT org_id, 'incremental', CASE WHEN org_id = ANY(%s) THEN now() ELSE now() + interval '1 day' END"
            " FROM sync.orgs",
            (list(org_ids),),
        )


def _sweep(place: Place, org_ids: Sequence[str]) -> dict[str, Any]:
    _set_due(place, org_ids)
    written = _rows_written(place)
    before = postgres_cpu_seconds(place)
    done = _run(place)
    done["postgres_cpu_seconds"] = postgres_cpu_seconds(place) - before
    done["rows_written"] = _rows_written(place) - written
    if done["orgs"] != len(org_ids) or done["orgs_failed"] or done["orgs_changed"]:
        raise SystemExit(f"not a no-change sweep of {len(org_ids)} churches: {done}")
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


def _report(rows: Sequence[dict[str, Any]], people: int) -> None:
    orgs = sum(row["orgs"] for row in rows)

    def total(name: str) -> float:
        return float(sum(row[name] for row in rows))

    ours, theirs = total("cpu_seconds"), total("postgres_cpu_seconds")
    body = table(
        ["figure", "measured", "target"],
        [
            ["churches", f"{orgs:,} of {people} people, in {len(rows)} sweeps", "1,000"],
            ["CPU s a church, the run's process, Dagster included", f"{ours / orgs:.3f}", "at most 0.5"],
            ["CPU s a church, Postgres", f"{theirs / orgs:.3f}", ""],
            ["wall s", f"{total('seconds'):.0f}", ""],
            ["requests a church", f"{total('requests') / orgs:.1f}", ""],
            ["rows written, raw and canonical", f"{total('rows_written'):.0f}", "0"],
            ["events in Dagster's log", f"{total('events'):.0f}", ""],
            ["peak MB of the process", f"{max(row['megabytes'] for row in rows)}", ""],
        ],
    )
    sys.stdout.write(body + "\n")
    command = f"`python -m benchmarks.fleet --churches {orgs} --people {people}`: nothing has changed at the source."
    write_section("c fleet", "c. No-change sync of many churches", f"{command}\n\n{body}")


if __name__ == "__main__":
    main()
