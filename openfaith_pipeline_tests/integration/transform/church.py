"""A made-up church as raw rows, also kept in memory for comparison."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from openfaith_pipeline.catalog.stream import ColumnType, Stream
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.sources import STREAMS

ENTITY_STREAMS = ("people.campuses", "people.people", "people.emails", "people.phone_numbers", "people.addresses")
FIELD_STREAMS = ("people.field_definitions", "people.field_data")
MERGER_STREAM = "people.person_mergers"
BEGINNING = datetime(2024, 1, 1, tzinfo=UTC)

TEXTS = (
    "Linnea",
    "",
    " ",
    'O\'Hara "Quote"',
    "back\\slash \\u0041",
    "100% %(org_id)s {braces}",
    "Ünïcødé 🙏\ttab\nnewline",
    "null",
    "x" * 300,
)
SPECIAL: dict[str, tuple[Any, ...]] = {
    "gender": ("Male", "Female", "M", "f", "Other", "", None),
    "status": ("active", "inactive", "pending", "Inactive", None),
    "e164": ("+15558411105", "+4915112345678", "15558411105", "n/a", None, None),
    "number": ("(415) 555-2671", "+44 20 7946 0958", "030 1234567", "12", "call me", "1-800-FLOWERS", None),
    "country_code": ("US", "de", "XX", "", None),
    "country": ("US", "nz", "United States", None),
    "file_name": ("photo.jpg", None, None),
}
JSON_VALUES: tuple[Any, ...] = (None, {"a": 1, "b": [True, None]}, [], "text", 3, 2.5, False)
ANSWERS = ("Blue", "5", "-3.50", "007", "yes", "TRUE", "0", "2024-02-29", "2024-13-01", "", "a, b", 'q"', "1e5", None)
SLUGS = ("baptized", "baptized", "nickname", "pronouns", "T-shirt size", None, "", "gender", "school")
DATA_TYPES = ("string", "text", "number", "boolean", "date", "checkboxes", "select", "file", "Number", None)


def put_rows(connection: Connection[Any], stream: Stream, rows: list[dict[str, Any]], *, is_alone: bool = True) -> None:
    """Replace the raw rows of the orgs that occur, or else add to them."""
    table = raw_name(stream)
    names = ("org_id", "id", *stream.columns, "_extra", "_content_hash")
    names += ("_first_seen_at", "_synced_at", "_deleted_at", "_sync_id")
    orgs = {row["org_id"] for row in rows}
    if is_alone:
        connection.execute(sql.SQL("DELETE FROM {} WHERE org_id = ANY(%s)").format(table), [list(orgs)])
    insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        table, sql.SQL(", ").join(map(sql.Identifier, names)), sql.SQL(", ").join([sql.Placeholder()] * len(names))
    )
    jsons = {name for name, kind in stream.columns.items() if kind is ColumnType.JSON} | {"_extra"}
    with connection.cursor() as cursor:
        cursor.executemany(
            insert,
            [
                [Jsonb(row[name]) if name in jsons and row.get(name) is not None else row.get(name) for name in names]
                for row in rows
            ],
        )


@dataclass
class Church:
    """Raw rows by stream and id, filled and changed at random from a seed."""

    org_id: str
    seed: int
    rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.now = BEGINNING

    def fill(self, people: int) -> None:
        # Ids start at 1 in every stream, so that they repeat across types and orgs.
        amounts = {"people.campuses": 3, "people.people": people, "people.field_definitions": 14}
        amounts |= {"people.emails": people, "people.phone_numbers": people, "people.addresses": people // 2}
        amounts["people.field_data"] = people * 3
        amounts[MERGER_STREAM] = 0
        for stream, amount in amounts.items():
            self.rows[stream] = {str(number): self.made_up(stream, str(number)) for number in range(1, amount + 1)}

    def made_up(self, name: str, record_id: str) -> dict[str, Any]:
        stream = STREAMS[name]
        row = {attribute: self._value(attribute, kind) for attribute, kind in stream.attributes.items()}
        row |= {f"{relationship}_id": self._some_id() for relationship in stream.belongs_to}
        row |= {
            "org_id": self.org_id,
            "id": record_id,
            "_extra": self.random.choice((None, None, None, {"pronouns": "they", "zeta": {"a": 1}, "Nothing": None})),
            "_content_hash": b"",
            "_first_seen_at": self.now,
            "_synced_at": self.now,
            "_deleted_at": self.now if self.random.random() < 0.1 else None,
            "_sync_id": "sync",
        }
        return row | self._field_values(name)

    def change(self) -> None:
        """Edit, delete, bring back, add and lose records here and there; most stay as they are."""
        self.now += timedelta(days=1)
        for name in (*ENTITY_STREAMS, *FIELD_STREAMS):
            rows = self.rows[name]
            for record_id in list(rows):
                chance = self.random.random()
                if chance < 0.1:
                    rows[record_id] |= self.made_up(name, record_id) | {"_deleted_at": None}
                elif chance < 0.2:
                    gone = rows[record_id]["_deleted_at"]
                    rows[record_id]["_deleted_at"] = None if gone else self.now
            new_id = str(len(rows) + 1)
            rows[new_id] = self.made_up(name, new_id)
        self._merge_some()

    def _merge_some(self) -> None:
        """Up to two mergers, of anybody into anybody; some are heard of before the removed record is found gone."""
        rows, people = self.rows[MERGER_STREAM], self.rows["people.people"]
        for _ in range(self.random.randint(0, 2)):
            new_id = str(len(rows) + 1)
            # In the order of their moments: a merger older than those before it may turn a circle around.
            rows[new_id] = self.made_up(MERGER_STREAM, new_id) | {"created_at": self.now, "_deleted_at": None}
            removed = people.get(rows[new_id]["person_to_remove_id"])
            if removed and self.random.random() < 0.5:
                removed["_deleted_at"] = self.now

    def store(self, connection: Connection[Any]) -> None:
        for name, rows in self.rows.items():
            put_rows(connection, STREAMS[name], list(rows.values()))

    def live(self, stream: str) -> Iterator[dict[str, Any]]:
        return (row for row in self.rows[stream].values() if row["_deleted_at"] is None)

    def _field_values(self, name: str) -> dict[str, Any]:
        if name == "people.field_definitions":
            deleted_at = self.now if self.random.random() < 0.1 else None
            slug, data_type = self.random.choice(SLUGS), self.random.choice(DATA_TYPES)
            # Without a tab: folders are another test's.
            return {"slug": slug, "data_type": data_type, "deleted_at": deleted_at, "tab_id": None}
        if name == "people.field_data":
            definition = str(self.random.randint(1, 16))
            return {
                "value": self.random.choice(ANSWERS),
                "field_definition_id": definition,
                "customizable_type": self.random.choice(("Person", "Person", "Person", "Household")),
                "customizable_id": str(self.random.randint(1, 12)),
            }
        return {}

    def _some_id(self) -> str | None:
        # The highest ones name records that are not there.
        return self.random.choice((None, *map(str, range(1, 15))))

    def _value(self, attribute: str, kind: ColumnType) -> Any:
        if attribute in SPECIAL and kind is ColumnType.TEXT:
            return self.random.choice(SPECIAL[attribute])
        if self.random.random() < 0.3:
            return None
        return self._value_of(kind)

    def _value_of(self, kind: ColumnType) -> Any:
        if kind is ColumnType.BOOLEAN:
            return self.random.random() < 0.5
        if kind is ColumnType.INTEGER:
            return self.random.choice((-1, 0, 7, 2**40))
        if kind is ColumnType.FLOAT:
            return self.random.choice((-33.25, 0.1, 151.0))
        if kind is ColumnType.DATE:
            return date(1885, 1, 1) + timedelta(days=self.random.randint(0, 50_000))
        if kind is ColumnType.TIMESTAMP:
            return self.now - timedelta(seconds=self.random.randint(0, 10**7))
        return self.random.choice(JSON_VALUES if kind is ColumnType.JSON else TEXTS)
