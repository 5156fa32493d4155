"""Edges: one for each relationship that holds between two records, and the register of which entity types they join.

Direction: of the two entity ids, one that starts with a letter from a to m is the source; when both do, or neither,
the lower string is. `relationshipType` is `<source tag>_<relationship>_<target tag>` when the relationship's name
contains an underscore, else `<source tag>_has_<target tag>`.

An edge holds while its record is live and names a record that is not deleted (one not loaded yet counts as live);
where it names one that was merged into another, it is the other's. The
edges made here carry `metadata.source = 'pco_direct'`; only those are ever changed or removed, and only on the evidence
of a loaded record that no longer says so. An edge of the same key that OpenFaith made, or that a person deleted, stays
as it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, LiteralString

from psycopg import sql

from openfaith_pipeline.transform.deletion import deleted_by_person
from openfaith_pipeline.transform.links import link_of
from openfaith_pipeline.transform.registry import RELATIONSHIPS, Relationship
from openfaith_pipeline.transform.survivors import is_merged, survivor_of
from openfaith_pipeline.transform.workspace import OWNERS, Workspace

TABLE: Final = "edges"
SOURCE: Final = "pco_direct"

_KEY: Final = ("sourceEntityId", "targetEntityId", "relationshipType")
_FEW: Final = 30
"""Edges; more are found sooner by reading all of the org. Postgres looks each up among those of its source, of whom it
expects a few, and a campus is the source of a part of the church."""

_METADATA: Final = sql.SQL("jsonb_build_object('relationshipKey', d.relationship, 'source', %(source)s::text)")


def write_edges(workspace: Workspace) -> tuple[int, int, int]:
    """Make, revive and remove the org's edges; returns how many were inserted, updated (or removed) and left alone."""
    _find_changes(workspace)
    note_joined(workspace, "transform_edges")
    inserted = _insert(workspace)
    [(different, stale)] = workspace.rows(
        sql.SQL(
            "SELECT count(*) FILTER (WHERE NOT is_new AND NOT is_stale), count(*) FILTER (WHERE is_stale)"
            " FROM pg_temp.transform_edges"
        )
    )
    with finding_edges(workspace, different + stale):
        updated = _update(workspace)
        removed = sum(_remove(workspace, relationship) for relationship in RELATIONSHIPS) if stale else 0
    live = workspace.total(
        sql.SQL('SELECT count(*) FROM {} WHERE "orgId" = %(org_id)s AND "deletedAt" IS NULL').format(
            workspace.canonical(TABLE)
        )
    )
    return inserted, updated + removed, live - inserted - updated


@contextmanager
def finding_edges(workspace: Workspace, number: int) -> Iterator[None]:
    """Within the block, statements join the org's edges with this number of their keys."""
    are_many = workspace.is_partial and number > _FEW
    if are_many:
        workspace.use_nested_loops(are_used=False)
    yield
    if are_many:
        workspace.use_nested_loops(are_used=True)


def _find_changes(workspace: Workspace) -> None:
    # Two records may share an entity, or two relationships a type: one edge, with the first's name and times.
    statement = sql.SQL("""
        ON COMMIT DROP AS
        SELECT {key}, COALESCE(d."sourceEntityTypeTag", e."sourceEntityTypeTag") AS "sourceEntityTypeTag",
            COALESCE(d."targetEntityTypeTag", e."targetEntityTypeTag") AS "targetEntityTypeTag",
            COALESCE(d.relationship, e.metadata ->> 'relationshipKey') AS relationship,
            d."createdAt", d."updatedAt", e."orgId" IS NULL AS is_new, d.relationship IS NULL AS is_stale
        FROM (
            SELECT {key}, "sourceEntityTypeTag", "targetEntityTypeTag",
                min(relationship) AS relationship, min("createdAt") AS "createdAt", max("updatedAt") AS "updatedAt"
            FROM ({wanted}) wanted GROUP BY {key}, "sourceEntityTypeTag", "targetEntityTypeTag") d
        FULL JOIN ({present}) e USING ({key})
        WHERE e."orgId" IS NULL OR e.metadata ->> 'source' = %(source)s AND CASE
            WHEN d.relationship IS NULL THEN e."deletedAt" IS NULL
            ELSE NOT {kept_deleted} AND (
                e.metadata ->> 'relationshipKey', e."createdAt", e."updatedAt", e."deletedAt", e."deletedBy")
                IS DISTINCT FROM (d.relationship, d."createdAt", d."updatedAt", NULL::timestamptz, NULL::text) END
        """).format(
        key=sql.SQL(", ").join(map(sql.Identifier, _KEY)),
        present=_present_edges(workspace),
        wanted=sql.SQL(" UNION ALL ").join(_edges_of(workspace, relationship) for relationship in RELATIONSHIPS),
        kept_deleted=deleted_by_person("e"),
    )
    workspace.create("transform_edges", statement, source=SOURCE)
    workspace.analyze("transform_edges")


def _present_edges(workspace: Workspace) -> sql.Composable:
    """The edges that are compared: all, or those of the records that are looked at."""
    if not workspace.is_partial:
        return sql.SQL('SELECT * FROM {} WHERE "orgId" = %(org_id)s').format(workspace.canonical(TABLE))
    found = [
        sql.SQL(
            'SELECT e.* FROM pg_temp.transform_owners o JOIN {link} JOIN {edges} e ON e."orgId" = %(org_id)s'
            ' AND e.{end} = l."entityId" AND e."relationshipType" = {type} WHERE o.entity_type = {tag}'
        ).format(
            link=link_of(workspace, relationship.owner, sql.Identifier("o", "id")),
            edges=workspace.canonical(TABLE),
            end=sql.Identifier(end),
            type=sql.Literal(each),
            tag=sql.Literal(relationship.owner.tag),
        )
        for relationship in RELATIONSHIPS
        for end, each in zip(_KEY, relationship_types(relationship), strict=False)
    ]
    return sql.SQL(" UNION ").join(found)


def create_joined(workspace: Workspace) -> None:
    """`pg_temp.transform_joined`: the edges that may join types which the register does not have; noted ones first."""
    workspace.create(
        "transform_joined",
        sql.SQL("""ON COMMIT DROP AS
            SELECT key[1] AS "sourceEntityId", key[2] AS "targetEntityId", key[3] AS "relationshipType"
            FROM pg_temp.transform_notes WHERE source = {}""").format(sql.Literal(f"openfaith_{TABLE}")),
    )


def note_joined(workspace: Workspace, table: LiteralString) -> None:
    """What is in this temporary table are edges that a partial transform makes or changes."""
    if workspace.is_partial:
        key = sql.SQL(", ").join(map(sql.Identifier, _KEY))
        statement = sql.SQL("INSERT INTO pg_temp.transform_joined SELECT {} FROM {}")
        workspace.execute(statement.format(key, sql.Identifier("pg_temp", table)))


def _edges_of(workspace: Workspace, relationship: Relationship) -> sql.Composable:
    outward_type, inward_type = relationship_types(relationship)
    named, survivors = survivor_of(relationship.target, sql.Identifier("r", f"{relationship.key}_id"), "named")
    return sql.SQL("""
        SELECT
            CASE WHEN direction.is_outward THEN l."entityId" ELSE t."entityId" END AS "sourceEntityId",
            CASE WHEN direction.is_outward THEN t."entityId" ELSE l."entityId" END AS "targetEntityId",
            CASE WHEN direction.is_outward THEN {outward_type} ELSE {inward_type} END AS "relationshipType",
            CASE WHEN direction.is_outward THEN {owner_tag} ELSE {target_tag} END AS "sourceEntityTypeTag",
            CASE WHEN direction.is_outward THEN {target_tag} ELSE {owner_tag} END AS "targetEntityTypeTag",
            {key} AS relationship, {created_at} AS "createdAt", {updated_at} AS "updatedAt"
        FROM {raw} r
        {survivors}
        JOIN {owner_link}
        JOIN {target_link}
        LEFT JOIN {target_raw} tr ON tr.org_id = %(org_id)s AND tr.id = {named}
        CROSS JOIN LATERAL (SELECT {is_outward} AS is_outward OFFSET 0) direction
        WHERE r.org_id = %(org_id)s AND {among} AND r._deleted_at IS NULL AND tr._deleted_at IS NULL
            AND NOT {is_merged}""").format(
        among=workspace.among(relationship.owner.tag, sql.Identifier("r", "id"), OWNERS),
        owner_tag=sql.Literal(relationship.owner.tag),
        target_tag=sql.Literal(relationship.target.tag),
        outward_type=sql.Literal(outward_type),
        inward_type=sql.Literal(inward_type),
        key=sql.Literal(relationship.key),
        created_at=relationship.owner.created_at,
        updated_at=relationship.owner.updated_at,
        raw=workspace.raw(relationship.owner.stream),
        owner_link=link_of(workspace, relationship.owner, sql.Identifier("r", "id")),
        target_link=link_of(workspace, relationship.target, named, alias="t"),
        target_raw=workspace.raw(relationship.target.stream),
        named=named,
        survivors=survivors,
        is_merged=is_merged(relationship.owner, sql.Identifier("r", "id")),
        is_outward=is_source(sql.Identifier("l", "entityId"), sql.Identifier("t", "entityId")),
    )


def relationship_type(source_tag: str, relationship: str, target_tag: str) -> str:
    """OpenFaith's name of an edge: `campus_primary_campus_person`, `email_has_person`."""
    return f"{source_tag}_{relationship if '_' in relationship else 'has'}_{target_tag}"


def relationship_types(relationship: Relationship) -> tuple[str, str]:
    """The type of an edge whose source is the relationship's owner, and of one whose target is."""
    owner, target = relationship.owner.tag, relationship.target.tag
    return relationship_type(owner, relationship.key, target), relationship_type(target, relationship.key, owner)


def is_source(own_id: sql.Composable, other_id: sql.Composable) -> sql.Composable:
    """SQL: whether the entity of `own_id` is the source of its edge with the entity of `other_id`."""
    own, other = _goes_first(own_id), _goes_first(other_id)
    return sql.SQL('CASE WHEN {} <> {} THEN {} ELSE {} COLLATE "C" <= {} END').format(own, other, own, own_id, other_id)


def _goes_first(entity_id: sql.Composable) -> sql.Composable:
    return sql.SQL("({id} COLLATE \"C\" >= 'a' AND {id} COLLATE \"C\" < 'n')").format(id=entity_id)


def _insert(workspace: Workspace) -> int:
    # In the order of the source ids, so that most of the indexes grow at their ends.
    rows = sql.SQL("""
        ("orgId", "sourceEntityId", "targetEntityId", "relationshipType", "sourceEntityTypeTag",
            "targetEntityTypeTag", metadata, "createdAt", "updatedAt")
        SELECT %(org_id)s, d."sourceEntityId", d."targetEntityId", d."relationshipType", d."sourceEntityTypeTag",
            d."targetEntityTypeTag", {metadata}, d."createdAt", d."updatedAt"
        FROM pg_temp.transform_edges d WHERE d.is_new
        ORDER BY d."sourceEntityId" COLLATE "C"
        ON CONFLICT DO NOTHING""").format(metadata=_METADATA)
    return workspace.insert(TABLE, rows, source=SOURCE)


def _update(workspace: Workspace) -> int:
    assignments = sql.SQL(
        'metadata = {metadata}, "createdAt" = d."createdAt", "updatedAt" = d."updatedAt",'
        ' "deletedAt" = NULL, "deletedBy" = NULL'
    ).format(metadata=_METADATA)
    found = sql.SQL("pg_temp.transform_edges d WHERE {} AND NOT d.is_new AND NOT d.is_stale").format(SAME_EDGE)
    return workspace.update(TABLE, assignments, found, source=SOURCE)


def _remove(workspace: Workspace, relationship: Relationship) -> int:
    found = sql.SQL("""
        pg_temp.transform_edges d
        WHERE {same_edge} AND d.is_stale AND d.relationship = {relationship}
            AND (d."sourceEntityTypeTag", d."targetEntityTypeTag")
                IN (({owner}, {target}), ({target}, {owner}))
            AND EXISTS (
                SELECT FROM {links} l JOIN {raw} r ON r.org_id = %(org_id)s AND r.id = l."externalId"
                WHERE l."orgId" = %(org_id)s AND l.adapter = %(adapter)s AND l."entityType" = {owner}
                    AND l."entityId" = CASE WHEN d."sourceEntityTypeTag" = {owner}
                        THEN d."sourceEntityId" ELSE d."targetEntityId" END)""").format(
        same_edge=SAME_EDGE,
        relationship=sql.Literal(relationship.key),
        owner=sql.Literal(relationship.owner.tag),
        target=sql.Literal(relationship.target.tag),
        links=workspace.canonical("externalLinks"),
        raw=workspace.raw(relationship.owner.stream),
    )
    return workspace.update(TABLE, sql.SQL('"deletedAt" = now(), "deletedBy" = %(adapter)s'), found)


SAME_EDGE: Final = sql.SQL(
    'target."orgId" = %(org_id)s AND target."sourceEntityId" = d."sourceEntityId"'
    ' AND target."targetEntityId" = d."targetEntityId" AND target."relationshipType" = d."relationshipType"'
)
