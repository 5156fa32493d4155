"""The register of entity types that are joined by edges, for each org and in both directions.

Types are added as they occur and never removed: OpenFaith registers some itself, and an empty list does no harm.
"""

from typing import Final

from psycopg import sql

from openfaith_pipeline.journal import canonical_rows, entries_of
from openfaith_pipeline.transform.edges import finding_edges
from openfaith_pipeline.transform.workspace import Workspace

TABLE: Final = "entityRelationships"


_JOINED: Final = sql.SQL('JOIN pg_temp.transform_joined USING ("sourceEntityId", "targetEntityId", "relationshipType")')


def write_entity_relationships(workspace: Workspace) -> tuple[int, int, int]:
    """Register the types that the org's live edges join; returns the rows inserted, updated and left alone."""
    statement = sql.SQL("""
        WITH pairs AS (
            SELECT DISTINCT "sourceEntityTypeTag" AS source, "targetEntityTypeTag" AS target
            FROM {edges} {joined} WHERE "orgId" = %(org_id)s AND "deletedAt" IS NULL
        ),
        occurring AS (SELECT source, target FROM pairs UNION SELECT target, source FROM pairs),
        unregistered AS (
            SELECT o.source, bool_and(e."orgId" IS NULL) AS is_new,
                jsonb_agg(o.target ORDER BY o.target COLLATE "C") AS targets
            FROM occurring o
            LEFT JOIN {register} e ON e."orgId" = %(org_id)s AND e."sourceEntityType" = o.source
            WHERE (e."targetEntityTypes" @> to_jsonb(o.target)) IS NOT TRUE
            GROUP BY o.source
        ),
        written AS (
            INSERT INTO {register} AS target ("orgId", "sourceEntityType", "targetEntityTypes", "updatedAt")
            SELECT %(org_id)s, source, targets, now() FROM unregistered
            ON CONFLICT ("orgId", "sourceEntityType") DO UPDATE
                SET "targetEntityTypes" = target."targetEntityTypes" || excluded."targetEntityTypes",
                    "updatedAt" = now()
            RETURNING target.*
        ),
        journal AS ({entries})
        SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new),
            (SELECT count(DISTINCT source) FROM occurring)
        FROM unregistered""").format(
        edges=workspace.canonical("edges"),
        joined=_JOINED if workspace.is_partial else sql.SQL(""),
        register=workspace.canonical(TABLE),
        entries=entries_of(canonical_rows(workspace.schema, TABLE)),
    )
    with finding_edges(workspace, _number_joined(workspace) if workspace.is_partial else 0):
        inserted, updated, occurring = workspace.rows(statement)[0]
    return inserted, updated, occurring - inserted - updated


def _number_joined(workspace: Workspace) -> int:
    return workspace.count(sql.SQL("SELECT count(*) FROM pg_temp.transform_joined"))
