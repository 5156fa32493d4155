"""Comments of tables and columns, from their declarations; only those that differ are set."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from psycopg import Connection, errors, sql
from sqlalchemy import Column, Table

from openfaith_pipeline.catalog.words import Words

_TABLES_AT_ONCE: Final = 100  # per transaction, which holds a lock for each table

# Comments of these schemas' tables and columns, by table and column; '' is the table itself.
_COMMENTS: Final = """
SELECT n.nspname || '.' || c.relname, coalesce(a.attname, ''), d.description FROM pg_description AS d
JOIN pg_class AS c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p')
"""


_WORDS: Final = "words"


def describe(table: Table, words: Mapping[str, Words]) -> None:
    """Give the table's columns their words, except those that have some already."""
    for column in table.columns:
        if column.name in words and words_of(column) is None:
            column.info[_WORDS] = words[column.name]
            column.comment = words[column.name].comment


def words_of(column: Column[Any]) -> Words | None:
    """The words that the column was given."""
    words: Words | None = column.info.get(_WORDS)
    return words


def align_comments(connection: Connection[Any], tables: Iterable[Table]) -> int:
    """Set the comments that differ; returns their number. Tables of another owner keep theirs."""
    tables = list(tables)
    rows = connection.execute(_COMMENTS, (sorted({str(table.schema) for table in tables}),)).fetchall()
    there = {(table, column): text for table, column, text in rows}
    differing = [
        changed
        for table in tables
        if (changed := [each for each in _wanted(table) if there.get((table.fullname, each[1])) != each[2]])
    ]
    return sum(
        _set(connection, differing[start : start + _TABLES_AT_ONCE])
        for start in range(0, len(differing), _TABLES_AT_ONCE)
    )


_Comment = tuple[Table, str, str]


def _wanted(table: Table) -> Iterator[_Comment]:
    """The declared comments of a table, with the column's name or ''."""
    comments = (("", table.comment), *((column.name, column.comment) for column in table.columns))
    return ((table, name, text) for name, text in comments if text)


def _set(connection: Connection[Any], by_table: Sequence[Sequence[_Comment]]) -> int:
    """Set the comments in one transaction, else table by table, so that a table of another owner blocks no others."""
    comments = [each for changed in by_table for each in changed]
    try:
        with connection.transaction():
            connection.execute(sql.SQL("; ").join(_statement(*each) for each in comments))
    except errors.InsufficientPrivilege:
        return sum(_set(connection, [changed]) for changed in by_table) if len(by_table) > 1 else 0
    return len(comments)


def _statement(table: Table, column: str, text: str) -> sql.Composed:
    names = (str(table.schema), table.name, column) if column else (str(table.schema), table.name)
    kind = sql.SQL("COLUMN" if column else "TABLE")
    return sql.SQL("COMMENT ON {} {} IS {}").format(kind, sql.Identifier(*names), sql.Literal(text))
