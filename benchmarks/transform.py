"""The canonical tables after k of N people changed: what changed alone, against comparing everything.

    python -m benchmarks.transform [--people 20000] [--changed 0 1 10 100 1000 10000]

Made-up raw rows: people in three campuses, each with an email, a phone number, an address and two answers. For each k,
k people and their emails are changed, and the tables are made twice of the very same change: with everything compared
(rolled back) and by what changed. Processor seconds are those of the connection's own Postgres process. The rows of the
changes themselves are written with and without the triggers that note them. Writes its section of
benchmarks/RESULTS.md, and exits with 1 where comparing everything afterwards finds something left to write.
"""

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import psutil
from psycopg import Connection, sql

from benchmarks.church import be_nice, fresh_place
from benchmarks.results import table, write_section
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.transform import TransformResult, transform_org

ORG_ID = "org_01k5t0w2m1e9qv4y8z3n7b6c5d"
PER_PERSON = {
    "people.people": 1,
    "people.emails": 1,
    "people.phone_numbers": 1,
    "people.addresses": 1,
    "people.field_data": 2,
}
CAMPUSES, DEFINITIONS = 3, 10
VALUES = {
    "status": "'active'",
    "gender": "CASE WHEN n %% 2 = 0 THEN 'Female' ELSE 'Male' END",
    "person_id": "n::text",
    "primary_campus_id": f"(n %% {CAMPUSES} + 1)::text",
    "customizable_id": "((n + 1) / 2)::text",
    "customizable_type": "'Person'",
    "field_definition_id": f"(n %% {DEFINITIONS} + 1)::text",
    "e164": "'+1555' || lpad(n::text, 7, '0')",
    "created_at": "now()",
    "updated_at": "now()",
    "deleted_at": "NULL",
}


class Cost(NamedTuple):
    seconds: float
    cpu_seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--changed", type=int, nargs="+", default=[0, 1, 10, 100, 1000, 10_000])
    options = parser.parse_args()
    be_nice()
    with fresh_place() as place, place.database.connect(autocommit=True) as connection:
        schema = place.database.settings.canonical_schema
        unnoted = _measured(connection, lambda: _fill(connection, options.people, is_noted=False))
        noted = _measured(connection, lambda: _fill(connection, options.people, is_noted=True))
        connection.execute("ANALYZE")
        first = _measured(connection, lambda: _transform(connection, schema))
        connection.execute("ANALYZE")
        rows = [_compared(connection, schema, number) for number in options.changed]
        left = _written(_transform(connection, schema, is_full=True))
    body = _told(options, rows, first, (unnoted, noted))
    sys.stdout.write(body + "\n")
    write_section("e transform", "e. The canonical tables after a change", body)
    sys.exit(1 if left else 0)


def _fill(connection: Connection[Any], people: int, *, is_noted: bool) -> None:
    amounts = {name: people * each for name, each in PER_PERSON.items()}
    for name, amount in {"people.campuses": CAMPUSES, "people.field_definitions": DEFINITIONS, **amounts}.items():
        stream = STREAMS[name]
        raw = raw_name(stream)
        texts = {attribute: f"'{attribute} ' || n" for attribute, kind in stream.attributes.items() if kind == "text"}
        filled = {column: value for column, value in {**texts, **VALUES}.items() if column in stream.columns}
        statement = sql.SQL(
            "INSERT INTO {} (org_id, id, {}, _content_hash, _first_seen_at, _synced_at, _sync_id)"
            " SELECT %(org)s, n::text, {}, '', now(), now(), 'first' FROM generate_series(1, %(amount)s) AS n"
        ).format(
            raw,
            sql.SQL(", ").join(map(sql.Identifier, filled)),
            sql.SQL(", ").join(sql.SQL(value) for value in filled.values()),  # type: ignore[arg-type]
        )
        with connection.transaction():
            connection.execute(sql.SQL("DELETE FROM {}").format(raw))
            if not is_noted:
                connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(raw))
            connection.execute(statement, {"org": ORG_ID, "amount": amount})
            if not is_noted:
                connection.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(raw))


def _change(connection: Connection[Any], number: int) -> None:
    with connection.transaction():
        for statement in (
            "UPDATE pco_people.people SET first_name = first_name || '!', updated_at = clock_timestamp()",
            "UPDATE pco_people.emails SET address = 'x' || address, updated_at = clock_timestamp()",
        ):
            connection.execute(f"{statement} WHERE org_id = %s AND id::int <= %s", (ORG_ID, number))  # type: ignore[arg-type]


def _compared(connection: Connection[Any], schema: str, number: int) -> list[object]:
    _change(connection, number)
    whole: dict[str, TransformResult] = {}

    def compare_everything() -> None:
        with connection.transaction(force_rollback=True):
            connection.execute("DELETE FROM sync.transforms")
            whole.update(_transform(connection, schema))

    everything = _measured(connection, compare_everything)
    followed: dict[str, TransformResult] = {}
    changes = _measured(connection, lambda: followed.update(_transform(connection, schema)))
    written = [_written(whole), _written(followed)]
    if written[0] != written[1]:
        raise SystemExit(f"{number} changed: {written[0]} rows written where everything is compared, else {written[1]}")
    sys.stderr.write(f"{number}: {everything} {changes} {written}\n")
    return [f"{number:,}", f"{written[1]:,}", *_shown(everything), *_shown(changes)]


def _transform(connection: Connection[Any], schema: str, *, is_full: bool = False) -> dict[str, TransformResult]:
    with connection.transaction():
        return transform_org(connection, ORG_ID, schema=schema, sync_id="benchmark", is_full=is_full)


def _written(results: dict[str, TransformResult]) -> int:
    return sum(result.inserted + result.updated for result in results.values())


def _measured(connection: Connection[Any], act: Callable[[], object]) -> Cost:
    process = psutil.Process(connection.info.backend_pid)
    before, started = process.cpu_times(), time.perf_counter()
    act()
    after = process.cpu_times()
    return Cost(time.perf_counter() - started, after.user + after.system - before.user - before.system)


def _shown(cost: Cost) -> list[str]:
    return [f"{cost.seconds:.3f}", f"{cost.cpu_seconds:.2f}"]


def _told(options: argparse.Namespace, rows: list[list[object]], first: Cost, filling: tuple[Cost, Cost]) -> str:
    head = ["people changed", "rows written", "everything compared, s", "Postgres CPU, s", "what changed, s"]
    unnoted, noted = filling
    each = sum(PER_PERSON.values())
    return (
        f"`python -m benchmarks.transform --people {options.people}`: {options.people} people, {each}"
        f" raw rows each. Each change is of k people and their emails.\n\n{table([*head, 'Postgres CPU, s'], rows)}\n\n"
        f"The first time: {first.seconds:.2f} s, {first.cpu_seconds:.2f} s of Postgres CPU."
        f" Writing the raw rows took {noted.seconds:.2f} s with the triggers that note changes"
        f" ({noted.cpu_seconds:.2f} s of Postgres CPU, the removal of as many rows before it included)"
        f" and {unnoted.seconds:.2f} s ({unnoted.cpu_seconds:.2f} s) into empty tables without them."
    )


if __name__ == "__main__":
    main()
