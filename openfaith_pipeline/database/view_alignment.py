"""Alignment of the views for people who query with their declarations.

The hash of all declarations is in the comment of the views' schema. Views of other names in that schema are left alone.
"""

import hashlib
from typing import Any, Final

from psycopg import Connection, errors, sql

from openfaith_pipeline.catalog.view import View
from openfaith_pipeline.sources import VIEWS

OLDEST_POSTGRES: Final = 150000
"""The first version with `security_invoker`; without it a view would show everyone all that its owner may see."""

_READ: Final = """
SELECT coalesce(obj_description(to_regnamespace(%s), 'pg_namespace'), ''),
    ARRAY(SELECT c.relname::text FROM pg_class AS c WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind = 'v')
"""
_ABSENT: Final = "SELECT count(*) FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL"
MADE_BY_US: Final = "Views for people who query, made by openfaith-pipeline"
"""How the comment of the views' schema begins."""

_COMMENT: Final = MADE_BY_US + " (definitions {digest})"


def are_views_current(connection: Connection[Any], schema: str) -> bool:
    """Whether `align_views` would change nothing."""
    if not _has_invokers(connection):
        return True
    comment, names = connection.execute(_READ, (_quoted(schema), _quoted(schema))).fetchone() or ("", [])
    return comment == _comment() and names_of_views() <= set(names)


def align_views(connection: Connection[Any], schema: str) -> None:
    """Create or replace the views that can be made, in one transaction.

    A view is not made if a table that it reads is missing, and none is made on a Postgres without `security_invoker`.
    Grants are kept, and views that depend on one; DependentObjectsStillExist is raised if one must lose a column that
    another view reads.
    """
    if not _has_invokers(connection) or are_views_current(connection, schema):
        return
    with connection.transaction():
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        for view in VIEWS.values():
            if _has_tables(connection, view):
                _make(connection, schema, view)
        connection.execute(
            sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(schema), sql.Literal(_comment()))
        )


def names_of_views() -> frozenset[str]:
    """The names of all declared views."""
    return frozenset(VIEWS)


def _make(connection: Connection[Any], schema: str, view: View) -> None:
    try:
        with connection.transaction():
            connection.execute(_creation(schema, view))
    except errors.InvalidTableDefinition:  # a column was renamed, retyped or dropped
        connection.execute(sql.SQL("DROP VIEW {}").format(sql.Identifier(schema, view.name)))
        connection.execute(_creation(schema, view))
    for name, comment in (("", view.comment), *((name, words.comment) for name, words in view.words.items())):
        target = sql.Identifier(schema, view.name, name) if name else sql.Identifier(schema, view.name)
        kind = sql.SQL("COLUMN" if name else "VIEW")
        connection.execute(sql.SQL("COMMENT ON {} {} IS {}").format(kind, target, sql.Literal(comment)))


def _creation(schema: str, view: View) -> sql.Composed:
    return sql.SQL("CREATE OR REPLACE VIEW {} WITH (security_invoker = true) AS {}").format(
        sql.Identifier(schema, view.name), sql.SQL(view.sql).format(schema=sql.Identifier(schema))
    )


def _has_tables(connection: Connection[Any], view: View) -> bool:
    return connection.execute(_ABSENT, (sorted(view.tables),)).fetchone() == (0,)


def _has_invokers(connection: Connection[Any]) -> bool:
    return connection.info.server_version >= OLDEST_POSTGRES


def _comment() -> str:
    declared = repr([*VIEWS.values()])
    return _COMMENT.format(digest=hashlib.sha256(declared.encode()).hexdigest()[:16])


def _quoted(schema: str) -> str:
    """The name quoted for `to_regnamespace`."""
    return f'"{schema}"'
