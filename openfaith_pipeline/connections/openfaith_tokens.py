"""OpenFaith's own tables of connections, in a database shared with OpenFaith: its orgs and tokens.

`openfaith_adapterDetails` has the orgs with Planning Center enabled, `openfaith_adapterTokens` a token for each user
who has approved; the newest one is used. Both programs refresh it: the second one finds the first one's.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from psycopg import Connection, sql
from psycopg.rows import tuple_row
from pydantic import SecretStr

from openfaith_pipeline.network.credentials import OAuthToken

_ADOPT_ORGS: Final = sql.SQL("""
INSERT INTO sync.orgs (org_id, name)
SELECT details."orgId", coalesce(org.name, details."orgId")
  FROM {details} AS details LEFT JOIN {orgs} AS org ON org.id = details."orgId"
 WHERE details.adapter = {adapter} AND details.enabled
   AND EXISTS (SELECT FROM {tokens} AS token WHERE token."orgId" = details."orgId" AND token.adapter = {adapter})
ON CONFLICT DO NOTHING RETURNING org_id
""")

_ADOPT_CONNECTIONS: Final = (
    "INSERT INTO sync.source_connections (org_id, adapter, kind, held_in) SELECT unnest(%s::text[]), %s, 'oauth', %s"
)

# When an org is disabled there it is paused here, and when enabled, resumed: once each, so that it may differ here
# later.
_FOLLOW: Final = sql.SQL("""
WITH switched AS (
    UPDATE sync.source_connections AS connection SET is_enabled_there = details.enabled FROM {details} AS details
     WHERE details."orgId" = connection.org_id AND details.adapter = {adapter} AND connection.adapter = {adapter}
       AND connection.held_in IS NOT NULL AND connection.is_enabled_there <> details.enabled
    RETURNING connection.org_id, details.enabled
)
UPDATE sync.orgs AS org
   SET paused_at = CASE WHEN switched.enabled THEN NULL ELSE coalesce(org.paused_at, now()) END,
       resumed_at = CASE WHEN switched.enabled AND org.paused_at IS NOT NULL THEN now() ELSE org.resumed_at END
  FROM switched WHERE switched.org_id = org.org_id
""")

_NEWEST: Final = sql.SQL("""
SELECT "userId", "accessToken", "refreshToken", "createdAt", "expiresIn" FROM {tokens}
 WHERE "orgId" = %s AND adapter = {adapter} ORDER BY "createdAt" DESC, "userId" LIMIT 1
""")

_HELD: Final = """
SELECT org_id, held_in FROM sync.source_connections JOIN sync.orgs USING (org_id)
 WHERE adapter = %s AND held_in IS NOT NULL AND state <> 'needs_reconnect' AND removed_at IS NULL AND paused_at IS NULL
 ORDER BY org_id
"""

_WRITE: Final = sql.SQL("""
UPDATE {tokens}
   SET "accessToken" = %s, "refreshToken" = coalesce(%s, "refreshToken"), "createdAt" = %s, "expiresIn" = %s
 WHERE "orgId" = %s AND adapter = {adapter} AND "userId" = %s
""")


def adopt_openfaith_orgs(connection: Connection[Any], schema: str, adapter: str) -> list[str]:
    """Take over the orgs that OpenFaith has connected to Planning Center; returns the new ones. The caller commits.

    An org that is here already keeps its connection, one that was removed here stays removed, and one that is disabled
    there is paused. Does nothing if the schema lacks OpenFaith's tables.
    """
    if not _are_there(connection, schema):
        return []
    with connection.cursor(row_factory=tuple_row) as cursor:
        org_ids = [row[0] for row in cursor.execute(_in(schema, adapter, _ADOPT_ORGS)).fetchall()]
    connection.execute(_ADOPT_CONNECTIONS, (org_ids, adapter, schema))
    connection.execute(_in(schema, adapter, _FOLLOW))
    return org_ids


def read_token(
    connection: Connection[Any], schema: str, org_id: str, adapter: str, *, for_update: bool = False
) -> OAuthToken | None:
    """The org's newest token, None if OpenFaith no longer has one; `for_update` locks its row."""
    row = _newest(connection, schema, org_id, adapter, for_update=for_update)
    if row is None:
        return None
    _, access_token, refresh_token, created_at, expires_in = row
    return OAuthToken(SecretStr(access_token), SecretStr(refresh_token), created_at + timedelta(seconds=expires_in))


def write_token(connection: Connection[Any], schema: str, org_id: str, adapter: str, token: OAuthToken) -> None:
    """Replace the newest token. The caller must hold its lock and have checked that nobody else has replaced it."""
    row = _newest(connection, schema, org_id, adapter, for_update=True)
    if row is None:
        return
    now = datetime.now(UTC)
    life = (token.expires_at or now) - now
    refresh_token = token.refresh_token.get_secret_value() if token.refresh_token else None
    connection.execute(
        _in(schema, adapter, _WRITE),
        (token.access_token.get_secret_value(), refresh_token, now, int(life.total_seconds()), org_id, row[0]),
    )


def users_of_tokens(connection: Connection[Any], adapter: str) -> list[tuple[str, str, str]]:
    """(org, schema of OpenFaith's tables, user) for each org that is read with one of OpenFaith's tokens.

    Orgs of a schema whose table of members cannot be read are left out.
    """
    with connection.cursor(row_factory=tuple_row) as cursor:
        held = cursor.execute(_HELD, (adapter,)).fetchall()
    readable = {schema for schema in {schema for _, schema in held} if _has_members(connection, schema)}
    users = [
        (org_id, schema, _newest(connection, schema, org_id, adapter, for_update=False))
        for org_id, schema in held
        if schema in readable
    ]
    return [(org_id, schema, row[0]) for org_id, schema, row in users if row]


def user_of_token(connection: Connection[Any], schema: str, org_id: str, adapter: str) -> str | None:
    """The user of the org's newest token, whose row stays locked until the transaction ends."""
    row = _newest(connection, schema, org_id, adapter, for_update=True)
    return str(row[0]) if row else None


def _newest(connection: Connection[Any], schema: str, org_id: str, adapter: str, *, for_update: bool) -> Any:
    query = _in(schema, adapter, _NEWEST)
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(query + sql.SQL(" FOR UPDATE") if for_update else query, (org_id,)).fetchone()


def _are_there(connection: Connection[Any], schema: str) -> bool:
    tables = [f'"{schema}"."openfaith_{name}"' for name in ("adapterDetails", "adapterTokens", "orgs")]
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(
            "SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest(%s::text[]) AS name", (tables,)
        )
        return row.fetchone() == (True,)


def _has_members(connection: Connection[Any], schema: str) -> bool:
    if not _are_there(connection, schema):
        return False
    query = "SELECT coalesce(has_table_privilege(to_regclass(%s), 'SELECT'), false)"
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(query, (f'"{schema}"."openfaith_orgUsers"',)).fetchone() == (True,)


def _in(schema: str, adapter: str, query: sql.SQL) -> sql.Composed:
    tables = {"details": "adapterDetails", "tokens": "adapterTokens", "orgs": "orgs"}
    named = {key: sql.Identifier(schema, f"openfaith_{name}") for key, name in tables.items()}
    return query.format(**named, adapter=sql.Literal(adapter))
