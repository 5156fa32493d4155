"""Reading the canonical tables of one org."""

from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from openfaith_pipeline.transform import ENTITIES, TransformResult, transform_org

SCHEMA = "public"


def transform(connection: Connection[Any], org_id: str, *tables: str) -> dict[str, TransformResult]:
    """Transform and commit, so that the next one has its own time."""
    results = transform_org(connection, org_id, schema=SCHEMA, sync_id="sync", tables=tables or None)
    connection.commit()
    return results


def rows(connection: Connection[Any], table: str, org_id: str) -> list[dict[str, Any]]:
    statement = sql.SQL('SELECT * FROM {} WHERE "orgId" = %s').format(sql.Identifier(SCHEMA, f"openfaith_{table}"))
    return connection.cursor(row_factory=dict_row).execute(statement, [org_id]).fetchall()


def one(connection: Connection[Any], table: str, org_id: str) -> dict[str, Any]:
    (row,) = rows(connection, table, org_id)
    return row


def entity_ids(connection: Connection[Any], org_id: str) -> dict[tuple[str, str], str]:
    """(entity type, external id) -> entity id."""
    return {
        (link["entityType"], link["externalId"]): link["entityId"] for link in rows(connection, "externalLinks", org_id)
    }


def row_versions(connection: Connection[Any]) -> set[tuple[str, str, str]]:
    """Every row version of every canonical table: changed by any write, even one that changes no value."""
    versions: set[tuple[str, str, str]] = set()
    for table in ENTITIES:
        statement = sql.SQL("SELECT ctid::text, xmin::text FROM {}").format(
            sql.Identifier(SCHEMA, f"openfaith_{table}")
        )
        versions |= {(table, *version) for version in connection.execute(statement).fetchall()}
    return versions
