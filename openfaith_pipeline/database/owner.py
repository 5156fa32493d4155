"""The two roles of the embedded server: the one that made the cluster, and the owner that the product works as.

The first is a superuser, which can run programs as the server's account (COPY ... TO PROGRAM). So it only creates the
database and its owner; everything else connects as the owner, which is not a superuser. A database that an earlier
version used as superuser is handed over, object by object: Postgres refuses REASSIGN OWNED for the role that created
the cluster.
"""

from typing import Any, Final, LiteralString, cast

from psycopg import Connection, sql

ADMINISTRATOR: Final = "openfaith"
OWNER: Final = "openfaith_owner"

_IS_HANDED_OVER: Final = "SELECT pg_get_userbyid(datdba) = %s FROM pg_database WHERE datname = current_database()"

_HANDOVER: Final = """
WITH ours AS (
    SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), objects (kind, name, owner, class, object, is_sequence) AS (
    SELECT 'SCHEMA', quote_ident(nspname), nspowner, 'pg_namespace'::regclass, oid, false
      FROM pg_namespace WHERE oid IN (SELECT oid FROM ours)
    UNION ALL
    SELECT 'TABLE', oid::regclass::text, relowner, 'pg_class'::regclass, oid, relkind = 'S'
      FROM pg_class WHERE relnamespace IN (SELECT oid FROM ours) AND relkind IN ('r', 'p', 'v', 'm', 'S')
    UNION ALL
    SELECT 'ROUTINE', oid::regprocedure::text, proowner, 'pg_proc'::regclass, oid, false
      FROM pg_proc WHERE pronamespace IN (SELECT oid FROM ours)
    UNION ALL
    SELECT 'TYPE', oid::regtype::text, typowner, 'pg_type'::regclass, oid, false
      FROM pg_type WHERE typnamespace IN (SELECT oid FROM ours) AND typtype IN ('e', 'd')
)
SELECT format('ALTER %%s %%s OWNER TO', kind, name) FROM objects
 WHERE pg_get_userbyid(owner) = %s
   -- Sequences of a column go with their table, members of an extension with the extension.
   AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = class AND objid = object
        AND (deptype = 'e' OR is_sequence AND deptype IN ('a', 'i')))
"""


def hand_over(connection: Connection[Any], password: str, giver: str = ADMINISTRATOR) -> None:
    """Create the owner and make it the owner of everything that the giver owns in this database, unless that is done.

    connection: a superuser's, in autocommit. password: of the owner, if it has to be created.
    """
    if connection.execute(_IS_HANDED_OVER, (OWNER,)).fetchone() == (True,):
        return
    with connection.transaction():
        # Two processes never do this at once: the caller holds the lock under which servers start.
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (OWNER,)).fetchone():
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(OWNER), sql.Literal(password))
            )
        to_owner = sql.SQL(" ") + sql.Identifier(OWNER)
        for (statement,) in connection.execute(_HANDOVER, (giver,)).fetchall():
            # Postgres has already quoted the name in it.
            connection.execute(sql.SQL(cast("LiteralString", statement)) + to_owner)
        connection.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO {}").format(
                sql.Identifier(connection.info.dbname), sql.Identifier(OWNER)
            )
        )
