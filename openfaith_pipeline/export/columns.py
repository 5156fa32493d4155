"""Columns as the server has them, and which are exported: the readable ones without an excluded mark."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection

from openfaith_pipeline.catalog.words import Mark, Words
from openfaith_pipeline.export.relations import Relation

_COLUMNS: Final = """
SELECT a.attname, coalesce(nullif(t.typbasetype, 0), a.atttypid)::oid, format_type(a.atttypid, a.atttypmod),
    has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type AS t ON t.oid = a.atttypid
WHERE n.nspname = %s AND c.relname = %s ORDER BY a.attnum
"""
_DOCUMENTS: Final = frozenset({"json", "jsonb"})
_HASH: Final = "_content_hash"


@dataclass(frozen=True)
class Column:
    """A column of a file. oid: its type in Postgres, or the base type of a domain; kind: that type's name."""

    name: str
    oid: int
    kind: str
    words: Words | None = None

    @property
    def base(self) -> str:
        """The type without its limits, such as `numeric` and `timestamp with time zone`."""
        return re.sub(r"\(.*?\)", "", self.kind)


@dataclass(frozen=True)
class Columns:
    """The columns of a relation. left_out: excluded by their marks; closed: not readable by this user."""

    chosen: tuple[Column, ...]
    left_out: tuple[str, ...]
    closed: tuple[str, ...]


def read_columns(connection: Connection[Any], relation: Relation, without: Collection[Mark]) -> Columns | None:
    """The live columns of a relation; None if it does not exist."""
    rows = connection.execute(_COLUMNS, (relation.schema, relation.name)).fetchall()
    if not rows:
        return None
    columns = [(Column(name, oid, kind, relation.words.get(name)), readable) for name, oid, kind, readable in rows]
    wanted = [(column, readable) for column, readable in columns if not is_left_out(column, without)]
    return Columns(
        tuple(column for column, readable in wanted if readable),
        tuple(column.name for column, _ in columns if is_left_out(column, without)),
        tuple(column.name for column, readable in wanted if not readable),
    )


def is_left_out(column: Column, without: Collection[Mark]) -> bool:
    """Whether the column may hold data of these kinds.

    A document with a mark may hold data of other kinds too, and so may an undeclared column, which another program
    added. The hash of a record reveals something about the record.
    """
    if not without:
        return False
    if column.words is None or column.name == _HASH:
        return True
    mark = column.words.mark
    return mark in without or (mark is not None and column.kind in _DOCUMENTS)
