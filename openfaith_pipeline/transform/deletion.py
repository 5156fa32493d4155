"""Deletion of rows, by the source or by a person.

A row deleted at its source is deleted by that source's adapter, and restored when the record comes back. A row deleted
by a person in OpenFaith (`deletedBy` is a `user_...`) stays deleted.
"""

from typing import LiteralString

from psycopg import sql


def deleted_by_person(row: LiteralString) -> sql.Composable:
    """SQL: whether a person, not the source, deleted the canonical row of this alias; never null."""
    return sql.SQL('({row}."deletedAt" IS NOT NULL AND starts_with({row}."deletedBy", \'user_\') IS TRUE)').format(
        row=sql.SQL(row)
    )


def deleted_at(row: LiteralString) -> sql.Composable:
    """SQL for `deletedAt` of the canonical row of this alias, from the raw row `r`."""
    return sql.SQL('CASE WHEN {} THEN {}."deletedAt" ELSE r._deleted_at END').format(
        deleted_by_person(row), sql.SQL(row)
    )


def deleted_by(row: LiteralString, adapter: str) -> sql.Composable:
    """SQL for `deletedBy`, likewise. adapter: of the raw row's source."""
    return sql.SQL('CASE WHEN {} THEN {}."deletedBy" WHEN r._deleted_at IS NOT NULL THEN {}::text END').format(
        deleted_by_person(row), sql.SQL(row), sql.Literal(adapter)
    )
