"""Random raw rows of one product and of the people it shares, with relationships between them."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from psycopg import Connection, sql

from openfaith_pipeline.catalog.stream import ColumnType, Stream
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.integration.transform.church import put_rows

BEGINNING: Final = datetime(2024, 1, 1, tzinfo=UTC)
TEXTS: Final = ("Linnea", "", 'O\'Hara "Quote"', "back\\slash", "100% {braces}", "Ünï 🙏\ttab", "active", None)
JSONS: Final[tuple[Any, ...]] = (None, {"a": 1, "b": [True, None]}, [], "text", 3, 2.5, False)
DIRECTORY: Final = ("people.people", "people.campuses")
PEOPLE: Final = 5
NAMED: Final = 8
"""Ids that relationships name; more than there are of most records, so that some name what is not there."""


@dataclass
class World:
    """Rows by stream and id; links by stream and relationship; ids of entities, as they are found in the tables."""

    org_id: str
    product: str
    seed: int
    kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    links: dict[tuple[str, str], set[tuple[str, str]]] = field(default_factory=dict)
    ids: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.now = BEGINNING
        for stream in self.streams():
            amount = PEOPLE if stream.name in DIRECTORY else 7
            self.rows[stream.name] = {str(n): self._made_up(stream, str(n)) for n in range(1, amount + 1)}
            for key in stream.has_many:
                self.links[stream.name, key] = set()
        self._relink()

    def streams(self) -> list[Stream]:
        return [stream for name, stream in STREAMS.items() if stream.product.value == self.product or name in DIRECTORY]

    def change(self) -> None:
        """Edit, delete, bring back and add records here and there, and list others."""
        self.now += timedelta(days=1)
        for stream in self.streams():
            rows = self.rows[stream.name]
            for record_id in list(rows):
                chance = self.random.random()
                if chance < 0.15:
                    rows[record_id] |= self._made_up(stream, record_id) | {"_deleted_at": None}
                elif chance < 0.25:
                    rows[record_id]["_deleted_at"] = None if rows[record_id]["_deleted_at"] else self.now
            new_id = str(len(rows) + 1)
            rows[new_id] = self._made_up(stream, new_id)
        self._relink()

    def store(self, connection: Connection[Any]) -> None:
        for stream in self.streams():
            put_rows(connection, stream, list(self.rows[stream.name].values()))
            for key in stream.has_many:
                self._store_links(connection, stream, key)
        connection.commit()

    def live(self, stream: str) -> Iterator[dict[str, Any]]:
        return (row for row in self.rows[stream].values() if row["_deleted_at"] is None)

    def is_gone(self, stream: str, record_id: str) -> bool:
        row = self.rows[stream].get(record_id)
        return row is not None and row["_deleted_at"] is not None

    def _store_links(self, connection: Connection[Any], stream: Stream, key: str) -> None:
        table = sql.Identifier(stream.schema, stream.links[key])
        connection.execute(sql.SQL("DELETE FROM {} WHERE org_id = %s").format(table), [self.org_id])
        for near, far in self.links[stream.name, key]:
            connection.execute(sql.SQL("INSERT INTO {} VALUES (%s, %s, %s, 1)").format(table), [self.org_id, near, far])

    def _relink(self) -> None:
        for links in self.links.values():
            links.clear()
            links.update((self._some_id(), self._some_id()) for _ in range(4))

    def _made_up(self, stream: Stream, record_id: str) -> dict[str, Any]:
        row = {name: self._value(kind) for name, kind in stream.attributes.items()}
        for relationship, target in stream.belongs_to.items():
            row[f"{relationship}_id"] = self.random.choice((None, self._some_id(), self._some_id(), self._some_id()))
            if target is None:
                row[f"{relationship}_type"] = self.random.choice(self.kinds.get(stream.name, ("Other",)))
        return row | {
            "org_id": self.org_id,
            "id": record_id,
            "_extra": self.random.choice((None, None, {"zeta_extra": {"a": 1}})),
            "_content_hash": b"",
            "_first_seen_at": self.now,
            "_synced_at": self.now,
            "_deleted_at": self.now if self.random.random() < 0.1 else None,
            "_sync_id": "sync",
        }

    def _some_id(self) -> str:
        return str(self.random.randint(1, NAMED))

    def _value(self, kind: ColumnType) -> Any:
        match kind:
            case ColumnType.BOOLEAN:
                return self.random.choice((None, True, False))
            case ColumnType.INTEGER:
                return self.random.choice((None, -1, 0, 7, 2**40))
            case ColumnType.FLOAT:
                return self.random.choice((None, -33.25, 0.5))
            case ColumnType.DATE:
                return self.random.choice((None, date(2024, 2, 29)))
            case ColumnType.TIMESTAMP:
                return self.random.choice((None, self.now, self.now - timedelta(hours=5, seconds=3)))
        return self.random.choice(JSONS if kind is ColumnType.JSON else TEXTS)
