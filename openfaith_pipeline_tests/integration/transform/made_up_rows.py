"""Raw rows of the streams that the made-up declarations read, put and changed at random."""

from dataclasses import dataclass
from random import Random
from typing import Any, Final

from psycopg import Connection, sql

from openfaith_pipeline.catalog.stream import ColumnType, Stream
from openfaith_pipeline.sources import CANONICAL, STREAMS
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.integration.raw_rows import put_row

AMOUNTS: Final = {
    "people.campuses": 2,
    "people.marital_statuses": 3,
    "people.people": 9,
    "people.emails": 6,
    "people.households": 4,
    "people.household_memberships": 9,
    "people.list_categories": 2,
    "people.lists": 4,
    "giving.labels": 3,
    "giving.funds": 2,
    "giving.donations": 8,
    "giving.notes": 6,
    "giving.designations": 14,
    "giving.designation_refunds": 3,
    "groups.groups": 2,
}
WORDS: Final = ("adult", "child", "Linn", "", None)
EDITS: Final = (
    """DELETE FROM "openfaith_edges" WHERE ctid IN (SELECT ctid FROM "openfaith_edges" ORDER BY random() LIMIT 2)""",
    """UPDATE "openfaith_edges" SET metadata = metadata || '{"role": "other"}'
        WHERE ctid IN (SELECT ctid FROM "openfaith_edges" ORDER BY random() LIMIT 2)""",
    """UPDATE "openfaith_folders" SET "parentFolderId" = 'other'
        WHERE id IN (SELECT id FROM "openfaith_folders" ORDER BY random() LIMIT 1)""",
    """UPDATE "openfaith_externalLinks" SET "deletedAt" = now(), "deletedBy" = 'pco'
        WHERE ctid IN (SELECT ctid FROM "openfaith_externalLinks" ORDER BY random() LIMIT 2)""",
)


@dataclass(frozen=True)
class Rows:
    connection: Connection[Any]
    org_id: str
    random: Random

    def put(self) -> None:
        """Some of each; ids start at 1 in every stream."""
        for name, amount in AMOUNTS.items():
            for number in range(1, amount + 1):
                put_row(self.connection, name, self.org_id, str(number), **self._values(STREAMS[name]))
        self._list_labels()

    def transform(self, *, is_full: bool = False) -> dict[str, tuple[int, int]]:
        """By table: rows inserted and updated."""
        results = transform_org(self.connection, self.org_id, schema="public", sync_id="sync", is_full=is_full)
        self.connection.commit()
        return {table: (result.inserted, result.updated) for table, result in results.items()}

    def missed_after_change(self) -> dict[str, int]:
        """Change a few rows; by table, the rows that only comparing everything found."""
        acts = [self._rewrite, self._toggle, self._list_labels, self._merge, self._edit]
        for act in self.random.choices(acts, k=self.random.randint(1, 3)):
            act()
        self.connection.commit()
        results = transform_org(self.connection, self.org_id, schema="public", sync_id="sync", is_full=True)
        self.connection.commit()
        return {table: result.missed for table, result in results.items() if result.missed}

    def _rewrite(self) -> None:
        stream, record_id = self._some_record()
        values = self._values(stream)
        assignments = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(n), sql.Placeholder(n)) for n in values
        )
        self._update(stream, record_id, assignments, values)

    def _toggle(self) -> None:
        stream, record_id = self._some_record()
        self._update(stream, record_id, sql.SQL("_deleted_at = CASE WHEN _deleted_at IS NULL THEN now() END"), {})

    def _update(self, stream: Stream, record_id: str, assignments: sql.Composable, values: dict[str, Any]) -> None:
        statement = sql.SQL("UPDATE {} SET {} WHERE org_id = %(own_org)s AND id = %(own_id)s").format(
            sql.Identifier(stream.schema, stream.short_name), assignments
        )
        self.connection.execute(statement, {**values, "own_org": self.org_id, "own_id": record_id})

    def _list_labels(self) -> None:
        """Other labels for some donations."""
        donations = [str(self.random.randint(1, AMOUNTS["giving.donations"])) for _ in range(3)]
        self.connection.execute("DELETE FROM pco_giving.donations_labels WHERE id = ANY(%s)", [donations])
        for donation in set(donations):
            for label in self.random.sample("123", self.random.randint(0, 2)):
                self.connection.execute(
                    "INSERT INTO pco_giving.donations_labels VALUES (%s, %s, %s, 1)", [self.org_id, donation, label]
                )

    def _merge(self) -> None:
        kept, removed = self.random.sample(range(1, AMOUNTS["people.people"] + 1), 2)
        merger = str(self.random.randint(1, 10**6))
        names = {"person_to_keep_id": str(kept), "person_to_remove_id": str(removed)}
        put_row(self.connection, "people.person_mergers", self.org_id, merger, created_at="2026-01-02", **names)

    def _edit(self) -> None:
        """Edits by another program in OpenFaith."""
        self.connection.execute(self.random.choice(EDITS))

    def _some_record(self) -> tuple[Stream, str]:
        name = self.random.choice(list(AMOUNTS))
        return STREAMS[name], str(self.random.randint(1, AMOUNTS[name]))

    def _values(self, stream: Stream) -> dict[str, Any]:
        # One more than there are: a record that is named before it is loaded.
        related = {
            f"{key}_id": self.random.choice((None, *map(str, range(1, AMOUNTS.get(self._record_stream(name), 2) + 2))))
            for key, name in stream.belongs_to.items()
            if name
        }
        own = {name: self._value(kind) for name, kind in stream.attributes.items() if name not in related}
        return {**own, **related}

    def _record_stream(self, name: str) -> str:
        entity = CANONICAL.known.get(name)
        return entity.stream.name if entity else name

    def _value(self, kind: ColumnType) -> Any:
        match kind:
            case ColumnType.TEXT:
                return self.random.choice(WORDS)
            case ColumnType.INTEGER:
                return self.random.choice((None, 0, 1250))
            case ColumnType.BOOLEAN:
                return self.random.choice((None, True, False))
        return None
