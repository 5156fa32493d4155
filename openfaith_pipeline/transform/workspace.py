"""Context of the statements of one org's transform: the cursor, the org and the canonical schema."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.journal import Write, canonical_rows, journaled

SCOPE: Final = "transform_scope"
OWNERS: Final = "transform_owners"
MOVED: Final = "transform_moved"
"""Temporary tables of the records that a partial transform looks at; scope.py fills them."""

NEVER: Final = sql.SQL("false")

_BATCH: Final = 5_000

Cursor = psycopg.Cursor[tuple[Any, ...]]
Statement = sql.SQL | sql.Composed


class Watching(Protocol):
    """Receives the progress of a long transform."""

    def began(self, stage: str, steps: int) -> None: ...

    def step(self, place: str) -> None: ...


class _Unwatched:
    def began(self, stage: str, steps: int) -> None: ...

    def step(self, place: str) -> None: ...


UNWATCHED: Final[Watching] = _Unwatched()


@dataclass(frozen=True)
class Workspace:
    """One org's transform in progress, in the caller's transaction.

    Statements name tables through `canonical` and `raw`, and the org through the parameter `org_id`. Changes to a
    canonical table go through `insert` and `update`, or are journaled separately. sync_id, cause: for the journal.
    is_partial: only the records of `transform_scope` are considered, and nothing is counted.
    """

    cursor: Cursor
    org_id: str
    schema: str
    sync_id: str
    cause: str = "transform"
    is_partial: bool = False
    watching: Watching = UNWATCHED

    def canonical(self, table: str) -> sql.Identifier:
        return sql.Identifier(self.schema, f"openfaith_{table}")

    def raw(self, stream: Stream) -> sql.Identifier:
        return raw_name(stream)

    def execute(self, statement: Statement, **parameters: object) -> int:
        """Run a statement; returns the number of rows it wrote or found."""
        # Statements are never prepared: a generic plan for one church's size would be kept for the next church.
        self.cursor.execute(statement, self._known() | parameters, prepare=False)
        return self.cursor.rowcount

    def insert(self, table: str, rows: sql.Composable, **parameters: object) -> int:
        """Journaled `INSERT INTO <table> AS target <rows>`, of new rows only; returns how many were inserted."""
        write = sql.SQL("INSERT INTO {} AS target {}").format(self.canonical(table), rows)
        return self.execute(journaled(canonical_rows(self.schema, table), write, Write.INSERT), **parameters)

    def update(self, table: str, assignments: sql.Composable, found: sql.Composable, **parameters: object) -> int:
        """Journaled `UPDATE <table> AS target SET <assignments> FROM <found>`; returns the number of rows written.

        The rows are locked first, so that concurrent changes by people are not journaled as ours.
        """
        if not self.lock(table, found, NEVER, **parameters)[0]:
            return 0
        return self.update_locked(table, assignments, found, **parameters)

    def update_locked(
        self, table: str, assignments: sql.Composable, found: sql.Composable, **parameters: object
    ) -> int:
        """As `update`, of rows that `lock` has locked."""
        write = sql.SQL("UPDATE {} AS target SET {} FROM {}").format(self.canonical(table), assignments, found)
        return self.execute(journaled(canonical_rows(self.schema, table), write), **parameters)

    def lock(
        self, table: str, found: sql.Composable, stale: sql.Composable = NEVER, **parameters: object
    ) -> tuple[int, int]:
        """Lock the rows `target` of a statement's `found`; returns how many there are, and how many of them `stale`."""
        statement = sql.SQL(
            "SELECT count(*), count(*) FILTER (WHERE is_stale)"
            " FROM (SELECT {} AS is_stale FROM {} AS target, {} FOR UPDATE OF target) AS locked"
        ).format(stale, self.canonical(table), found)
        [(number, stale_number)] = self.rows(statement, **parameters)
        return number, stale_number

    def rows(self, statement: Statement, **parameters: object) -> list[tuple[Any, ...]]:
        self.execute(statement, **parameters)
        return self.cursor.fetchall()

    def batches(self, statement: Statement) -> Iterator[list[tuple[Any, ...]]]:
        """The rows, some thousands at a time: a church's records need not fit into memory."""
        with self.cursor.connection.cursor("transform_batches", row_factory=tuple_row) as cursor:
            cursor.execute(statement, self._known())
            while rows := cursor.fetchmany(_BATCH):
                yield rows

    def count(self, statement: Statement, **parameters: object) -> int:
        """The one number that the statement selects."""
        return int(self.rows(statement, **parameters)[0][0])

    def total(self, statement: Statement, **parameters: object) -> int:
        """As `count`, for counts that only a whole transform makes; 0 for a partial one."""
        return 0 if self.is_partial else self.count(statement, **parameters)

    def among(self, stream: Stream, record_id: sql.Composable, records: str = SCOPE) -> sql.Composable:
        """SQL: whether the record of this stream is one to look at."""
        if not self.is_partial:
            return sql.SQL("true")
        return sql.SQL("{} IN (SELECT id FROM {} WHERE stream = {})").format(
            record_id, sql.Identifier("pg_temp", records), sql.Literal(stream.name)
        )

    def create(self, name: str, definition: sql.Composable, **parameters: object) -> None:
        """Create a temporary table for this transaction from `definition`, the part of the statement after its name."""
        self.drop(name)
        self.execute(
            sql.SQL("CREATE TEMP TABLE {} {}").format(sql.Identifier("pg_temp", name), definition), **parameters
        )

    def drop(self, name: str) -> None:
        self.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier("pg_temp", name)))

    def copy(self, name: str, batches: Iterable[Collection[tuple[str | None, ...]]]) -> None:
        """COPY rows into a temporary table and let the planner know its size; they may come from `batches`."""
        statement = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier("pg_temp", name))
        for rows in batches:
            with self.cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        self.analyze(name)

    def analyze(self, name: str, *columns: str) -> None:
        """Update a temporary table's statistics, since autovacuum never sees it. Without columns, all are analysed."""
        table = sql.Identifier("pg_temp", name)
        only = sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Identifier, columns))) if columns else sql.SQL("")
        self.execute(sql.SQL("ANALYZE {} {}").format(table, only))

    def use_nested_loops(self, *, are_used: bool) -> None:
        """Whether joins may look their rows up one by one, from here on in the transaction."""
        self.execute(
            sql.SQL("SELECT set_config('enable_nestloop', %(value)s, true)"), value="on" if are_used else "off"
        )

    def _known(self) -> dict[str, object]:
        return {"org_id": self.org_id, "sync_id": self.sync_id, "cause": self.cause}
