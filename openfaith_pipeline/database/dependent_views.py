"""Views set aside while a column that they read changes its type, which Postgres refuses otherwise.

They are dropped and recreated in one transaction, with their options, comments and grants, so that nobody finds them
missing. Only views that our database user owns; a view of another owner makes the change fail as before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from psycopg import Connection, errors, sql

from openfaith_pipeline.database.view_alignment import MADE_BY_US
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.sources import VIEWS

# Every view that reads the table, directly or through other views, each after those it reads. The definition names
# each relation with its schema, whatever the search path.
_DEPENDENT: Final = """
WITH RECURSIVE reading (oid, depth) AS (
    SELECT %(table)s::regclass::oid, 0
    UNION
    SELECT view.oid, reading.depth + 1
    FROM reading
    JOIN pg_depend AS d ON d.refobjid = reading.oid AND d.refclassid = 'pg_class'::regclass
        AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite AS rule ON rule.oid = d.objid
    JOIN pg_class AS view ON view.oid = rule.ev_class AND view.relkind = 'v' AND view.oid <> reading.oid
)
SELECT n.nspname AS schema, c.relname AS name, pg_get_viewdef(c.oid) AS definition,
    coalesce(array_to_string(c.reloptions, ', '), '') AS options,
    ARRAY(SELECT ARRAY[coalesce(a.attname, ''), d.description] FROM pg_description AS d
        LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
        WHERE d.objoid = c.oid AND d.classoid = 'pg_class'::regclass) AS comments,
    ARRAY(SELECT format('GRANT %%s ON %%s TO %%s%%s', privilege_type, c.oid::regclass,
            CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
            CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM aclexplode(c.relacl) WHERE grantee <> c.relowner) AS grants,
    coalesce(starts_with(obj_description(n.oid, 'pg_namespace'), %(made_by_us)s), false) AND c.relname = ANY(%(ours)s)
FROM (SELECT oid, max(depth) AS depth FROM reading WHERE depth > 0 GROUP BY oid) AS found
JOIN pg_class AS c ON c.oid = found.oid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE pg_has_role(c.relowner, 'USAGE')
ORDER BY found.depth, c.oid
"""


class _Aside(NamedTuple):
    """A view to recreate.

    options: as in WITH (...). comments: pairs of column, '' for the view, and text. grants: statements.
    is_ours: whether it is a declared view in our own schema.
    """

    schema: str
    name: str
    definition: str
    options: str
    comments: list[list[str]]
    grants: list[str]
    is_ours: bool

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


@contextmanager
def views_set_aside(connection: Connection[Any], table: str) -> Iterator[None]:
    """Drop the views that read the table, and recreate them after the block. Within the caller's transaction.

    Raises ConfigurationError if a view does not work with the new type; a declared view of ours is left out then,
    since its own alignment makes it.
    """
    values = {"table": table, "made_by_us": MADE_BY_US, "ours": [*VIEWS]}
    views = [_Aside(*row) for row in connection.execute(_DEPENDENT, values).fetchall()]
    for view in reversed(views):
        connection.execute(sql.SQL("DROP VIEW {}").format(view.identifier))
    yield
    for view in views:
        _restore(connection, view)


def _restore(connection: Connection[Any], view: _Aside) -> None:
    try:
        with connection.transaction():
            _create(connection, view)
    except errors.ProgrammingError as error:
        if not view.is_ours:
            raise ConfigurationError(
                f"the view {view.schema}.{view.name} does not work with the column's new type:"
                f" {error.diag.message_primary}. Drop it, and create it again afterwards"
            ) from None


def _create(connection: Connection[Any], view: _Aside) -> None:
    options = sql.SQL(f" WITH ({view.options})" if view.options else "")
    body = sql.SQL(view.definition)
    connection.execute(sql.SQL("CREATE VIEW {}{} AS {}").format(view.identifier, options, body))
    for column, text in view.comments:
        names = (view.schema, view.name, column) if column else (view.schema, view.name)
        kind = sql.SQL("COLUMN" if column else "VIEW")
        connection.execute(sql.SQL("COMMENT ON {} {} IS {}").format(kind, sql.Identifier(*names), sql.Literal(text)))
    for grant in view.grants:
        connection.execute(grant.encode())
