"""The canonical tables of a church that uses every product: first transform, 1,000 changes, and rebuilds.

    python -m benchmarks.all_products [--people 20000]

Made-up raw rows of every stream that becomes anything: those of which a person has several, and some tens of each
other. The rows name each other by every relationship. Measured are the first transform; one after 1,000 changes to
people, gifts, memberships, attendances and schedules; one that compares everything; a rebuild when nothing differs; and
a rebuild after all rows and edges, but not the links, were lost. Processor seconds are those of the connection's own
Postgres process. Writes its section of benchmarks/RESULTS.md, and exits with 1 where anything is left to write.
"""

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import psutil
from psycopg import Connection, sql

from benchmarks.church import be_nice, fresh_place
from benchmarks.results import table, write_section
from openfaith_pipeline.catalog.stream import ColumnType, Stream
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.sources import CANONICAL, STREAMS
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline.transform.rebuild import rebuild_org

ORG_ID: Final = "org_01k5t0w2m1e9qv4y8z3n7b6c5d"
PER_PERSON: Final = {
    "people.people": 1.0,
    "people.emails": 1.0,
    "people.phone_numbers": 1.0,
    "people.addresses": 1.0,
    "people.households": 0.4,
    "people.household_memberships": 1.0,
    "people.field_data": 2.0,
    "people.list_results": 1.0,
    "people.notes": 0.2,
    "groups.memberships": 1.0,
    "groups.attendances": 2.0,
    "groups.events": 0.2,
    "check_ins.check_ins": 2.0,
    "check_ins.check_in_times": 2.0,
    "giving.donations": 2.0,
    "giving.designations": 2.5,
    "services.plan_people": 1.0,
    "services.items": 0.5,
    "registrations.attendees": 0.5,
    "calendar.event_instances": 0.5,
}
FEW: Final = 40
CHANGED: Final = (
    "people.people",
    "giving.donations",
    "groups.memberships",
    "groups.attendances",
    "services.plan_people",
)
CHANGES: Final = 1000
VALUES: Final = {
    ColumnType.TEXT: "'text ' || n",
    ColumnType.INTEGER: "n %% 1000",
    ColumnType.FLOAT: "n / 8.0",
    ColumnType.BOOLEAN: "n %% 2 = 0",
    ColumnType.DATE: "date '2024-01-01' + (n %% 700)::int",
    ColumnType.TIMESTAMP: "timestamptz '2024-01-01' + n * interval '1 minute'",
    ColumnType.JSON: "NULL::jsonb",
}
OWN: Final = {"slug": "'field_' || n", "data_type": "'string'", "e164": "'+1555' || lpad(n::text, 7, '0')"}
NONE_DELETED: Final = ("deleted_at", "archived_at", "canceled_at", "inactivated_at")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20_000)
    options = parser.parse_args()
    be_nice()
    with fresh_place() as place, place.database.connect(autocommit=True) as connection:
        schema = place.database.settings.canonical_schema
        amounts = _amounts(options.people)
        for stream in _streams():
            _fill(connection, stream, amounts)
        connection.execute("ANALYZE")
        rows = list(_measure(connection, schema))
        left = sum(each.written for each in _rebuild(connection, schema).values())
        size = _size(connection, schema)
    head = ["", "rows written", "wall, s", "Postgres CPU, s"]
    body = (
        f"`python -m benchmarks.all_products --people {options.people}`: {options.people:,} people,"
        f" {sum(amounts.values()):,} raw rows of {len(amounts)} streams, which are {size}."
        f" {len(CANONICAL.relationships)} relationships, one statement each.\n\n{table(head, rows)}"
    )
    sys.stdout.write(body + "\n")
    write_section("e products", "e. The canonical tables of all products", body)
    sys.exit(1 if left else 0)


def _streams() -> list[Stream]:
    read = {each.name for declared in CANONICAL.declarations for each in CANONICAL.sources_of(declared.stream)}
    return [stream for name, stream in STREAMS.items() if name in read and name != "people.person_mergers"]


def _amounts(people: int) -> dict[str, int]:
    return {stream.name: int(PER_PERSON.get(stream.name, 0) * people) or FEW for stream in _streams()}


def _fill(connection: Connection[Any], stream: Stream, amounts: dict[str, int]) -> None:
    filled = {name: OWN.get(name, VALUES[kind]) for name, kind in stream.attributes.items() if name not in NONE_DELETED}
    for relationship, target in stream.belongs_to.items():
        types = _types(stream, relationship)
        named = target or next((name for name in amounts if STREAMS[name].type in types), None)
        filled[f"{relationship}_id"] = f"(n * 7919 %% {amounts.get(named or '', FEW)} + 1)::text"
        if target is None and f"{relationship}_type" in stream.columns:
            filled[f"{relationship}_type"] = f"'{types[0]}'" if types else "NULL"
    filled = {name: value for name, value in filled.items() if name in stream.columns}
    statement = sql.SQL(
        "INSERT INTO {} (org_id, id, {}, _content_hash, _first_seen_at, _synced_at, _sync_id)"
        " SELECT %(org)s, n::text, {}, '', now(), now(), 'first' FROM generate_series(1, %(amount)s) AS n"
    ).format(
        raw_name(stream),
        sql.SQL(", ").join(map(sql.Identifier, filled)),
        sql.SQL(", ").join(sql.SQL(value) for value in filled.values()),  # type: ignore[arg-type]
    )
    connection.execute(statement, {"org": ORG_ID, "amount": amounts[stream.name]})


def _types(stream: Stream, relationship: str) -> list[str]:
    """The types that a polymorphic relationship names."""
    found = {
        each.type for each in CANONICAL.relationships if each.stream is stream and each.far == f"{relationship}_id"
    }
    found |= {each.on.type for each in (*CANONICAL.fields, *CANONICAL.answers) if each.stream is stream}
    return sorted(filter(None, found))


def _measure(connection: Connection[Any], schema: str) -> list[list[object]]:
    def transform(*, is_full: bool = False) -> int:
        with connection.transaction():
            results = transform_org(connection, ORG_ID, schema=schema, sync_id="benchmark", is_full=is_full)
        return sum(each.inserted + each.updated for each in results.values())

    def rebuild() -> int:
        return sum(each.written for each in _rebuild(connection, schema).values())

    rows = [_measured(connection, "the first transform", transform)]
    connection.execute("ANALYZE")
    rows.append(_measured(connection, "nothing changed", transform))
    _change(connection)
    rows.append(_measured(connection, f"{CHANGES:,} records changed", transform))
    rows.append(_measured(connection, "everything compared", lambda: transform(is_full=True)))
    rows.append(_measured(connection, "rebuild, nothing differs", rebuild))
    _lose(connection, schema)
    rows.append(_measured(connection, "rebuild, all but the links lost", rebuild))
    return rows


def _rebuild(connection: Connection[Any], schema: str) -> dict[str, Any]:
    with connection.transaction():
        return dict(rebuild_org(connection, ORG_ID, schema=schema, sync_id="benchmark"))


def _change(connection: Connection[Any]) -> None:
    for name in CHANGED:
        texts = [key for key, kind in STREAMS[name].attributes.items() if kind is ColumnType.TEXT]
        text = "payment_status" if name == "giving.donations" else next(key for key in texts if key != "id")
        statement = sql.SQL("UPDATE {} SET {text} = {text} || '!' WHERE org_id = %s AND id::int <= %s").format(
            raw_name(STREAMS[name]), text=sql.Identifier(text)
        )
        connection.execute(statement, (ORG_ID, CHANGES // len(CHANGED)))


def _lose(connection: Connection[Any], schema: str) -> None:
    for name in (*CANONICAL.tables, "edges"):
        connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(schema, f"openfaith_{name}")))
    connection.execute("ANALYZE")


def _measured(connection: Connection[Any], title: str, act: Callable[[], int]) -> list[object]:
    process = psutil.Process(connection.info.backend_pid)
    before, started = process.cpu_times(), time.perf_counter()
    written = act()
    seconds, after = time.perf_counter() - started, process.cpu_times()
    row = [title, f"{written:,}", f"{seconds:.2f}", f"{after.user + after.system - before.user - before.system:.2f}"]
    sys.stderr.write(f"{row}\n")
    return row


def _size(connection: Connection[Any], schema: str) -> str:
    def count(name: str) -> int:
        statement = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, f"openfaith_{name}"))
        return int(connection.execute(statement).fetchall()[0][0])

    entities = sum(count(name) for name in CANONICAL.tables)
    return f"{entities:,} rows in {len(CANONICAL.tables)} tables and {count('edges'):,} edges"


if __name__ == "__main__":
    main()
