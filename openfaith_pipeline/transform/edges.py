"""Edges: one for each relationship that holds between two records, and the register of the entity types they join.

Direction: of the two entity ids, one that starts with a letter from a to m is the source; when both do, or neither,
the lower string is. `relationshipType` is `<source tag>_<relationship>_<target tag>` when the relationship's name
contains an underscore, else `<source tag>_has_<target tag>`.

An edge holds while its record is live and names a record that is not deleted; where it names one that was merged into
another, it is the other's. A record without a row counts as live if it is not loaded yet, and as deleted if its row
went after its deletion. A record that is an edge itself holds while it is live and both its ends are. The edges made
here carry `metadata.source = '<adapter>_direct'`; only those are ever changed or removed, and only on the evidence of a
loaded record of that source that no longer says so. An edge of the same key that OpenFaith made, or that a person
deleted, stays as it is.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final, LiteralString

from psycopg import sql

from openfaith_pipeline.canonical.relationships import Relationship
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.transform.deletion import deleted_by_person
from openfaith_pipeline.transform.edge_records import RECORD_VALUES, records_of_edge
from openfaith_pipeline.transform.holding import Holding, holding
from openfaith_pipeline.transform.identity import is_link_of, link_of, record_id_of
from openfaith_pipeline.transform.links import created_at, updated_at
from openfaith_pipeline.transform.survivors import survivor_of
from openfaith_pipeline.transform.workspace import OWNERS, Workspace

TABLE: Final = "edges"

_KEY: Final = ("sourceEntityId", "targetEntityId", "relationshipType")
_FEW: Final = 30
"""Edges; more are found sooner by reading all of the org. Postgres looks each up among those of its source, of whom it
expects a few, and a campus is the source of a part of the church."""

_METADATA: Final = sql.SQL(
    "(COALESCE(d.metadata, '{}') || jsonb_build_object('relationshipKey', d.relationship, 'source', d.source))"
)
_STALE_KEYS: Final = "SELECT DISTINCT relationship FROM pg_temp.transform_edges WHERE is_stale"


def made_from(adapter: str) -> str:
    """`metadata.source` of the edges that are made from this source's records."""
    return f"{adapter}_direct"


OURS: Final = [made_from(adapter) for adapter in CANONICAL.adapters]
"""The same of all sources."""


def write_edges(workspace: Workspace, streams: frozenset[str]) -> tuple[int, int, int]:
    """Make, revive and remove the org's edges; returns how many were inserted, updated (or removed) and left alone.

    streams: only relationships in records of these can have changed.
    """
    active = [each for each in CANONICAL.relationships if each.is_edge and each.stream.name in streams]
    _find_wanted(workspace, active)
    _find_changes(workspace, active)
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
        removed = sum(_remove(workspace, relationship) for relationship in _stale(workspace, active)) if stale else 0
    live = workspace.total(
        sql.SQL('SELECT count(*) FROM {} WHERE "orgId" = %(org_id)s AND "deletedAt" IS NULL').format(
            workspace.canonical(TABLE)
        )
    )
    return inserted, updated + removed, live - inserted - updated


@contextmanager
def finding_edges(workspace: Workspace, number: int) -> Iterator[None]:
    """Let Postgres plan for statements in the block that join the org's edges with this number of keys."""
    are_many = workspace.is_partial and number > _FEW
    if are_many:
        workspace.use_nested_loops(are_used=False)
    yield
    if are_many:
        workspace.use_nested_loops(are_used=True)


def _find_changes(workspace: Workspace, active: Collection[Relationship]) -> None:
    # Two records may share an entity, or two relationships a type: one edge, with the first's name and times.
    statement = sql.SQL("""
        ON COMMIT DROP AS
        SELECT {key}, COALESCE(d."sourceEntityTypeTag", e."sourceEntityTypeTag") AS "sourceEntityTypeTag",
            COALESCE(d."targetEntityTypeTag", e."targetEntityTypeTag") AS "targetEntityTypeTag",
            COALESCE(d.relationship, e.metadata ->> 'relationshipKey') AS relationship,
            COALESCE(d.source, e.metadata ->> 'source') AS source,
            COALESCE(d.metadata, '{{}}') AS metadata, e.metadata ->> 'recordId' AS record_id,
            d."createdAt", d."updatedAt", e."orgId" IS NULL AS is_new, d.relationship IS NULL AS is_stale
        FROM (
            SELECT {key}, "sourceEntityTypeTag", "targetEntityTypeTag",
                min(relationship) AS relationship, min(source) AS source,
                min("createdAt") AS "createdAt", max("updatedAt") AS "updatedAt",
                (array_agg(metadata) FILTER (WHERE metadata IS NOT NULL))[1] AS metadata
            FROM pg_temp.transform_wanted GROUP BY {key}, "sourceEntityTypeTag", "targetEntityTypeTag") d
        FULL JOIN ({present}) e USING ({key})
        WHERE e."orgId" IS NULL OR e.metadata ->> 'source' = ANY(%(ours)s) AND CASE
            WHEN d.relationship IS NULL THEN e."deletedAt" IS NULL
            ELSE NOT {kept_deleted} AND (
                d.metadata IS NOT NULL AND e.metadata IS DISTINCT FROM {metadata}
                OR (e.metadata ->> 'relationshipKey', e.metadata ->> 'source',
                        e."createdAt", e."updatedAt", e."deletedAt", e."deletedBy")
                    IS DISTINCT FROM (d.relationship, d.source,
                        d."createdAt", d."updatedAt", NULL::timestamptz, NULL::text)) END
        """).format(
        key=sql.SQL(", ").join(map(sql.Identifier, _KEY)),
        present=_present_edges(workspace, active),
        kept_deleted=deleted_by_person("e"),
        metadata=_METADATA,
    )
    workspace.create("transform_edges", statement, ours=OURS)
    workspace.analyze("transform_edges")


def _present_edges(workspace: Workspace, active: Collection[Relationship]) -> sql.Composable:
    """SQL: the edges that are compared: all, or those of the records that are looked at."""
    if not workspace.is_partial:
        return sql.SQL('SELECT * FROM {} WHERE "orgId" = %(org_id)s').format(workspace.canonical(TABLE))
    like = sql.SQL("(LIKE {}, PRIMARY KEY ({})) ON COMMIT DROP")
    key = sql.SQL(", ").join(map(sql.Identifier, _KEY))
    workspace.create("transform_present", like.format(workspace.canonical(TABLE), key))
    for relationship in active:
        for end, type_ in zip(_KEY, relationship.types, strict=False):
            workspace.execute(_present(workspace, relationship, end, type_))
    return sql.SQL("SELECT * FROM pg_temp.transform_present")


def _present(workspace: Workspace, relationship: Relationship, end: str, type_: str) -> sql.Composed:
    return sql.SQL(
        "INSERT INTO pg_temp.transform_present"
        ' SELECT e.* FROM pg_temp.transform_owners o JOIN {link} JOIN {edges} e ON e."orgId" = %(org_id)s'
        ' AND e.{end} = l."entityId" AND e."relationshipType" = {type} WHERE o.stream = {stream} ON CONFLICT DO NOTHING'
    ).format(
        link=link_of(workspace, relationship.owner, sql.Identifier("o", "id")),
        edges=workspace.canonical(TABLE),
        end=sql.Identifier(end),
        type=sql.Literal(type_),
        stream=sql.Literal(relationship.stream.name),
    )


def create_joined(workspace: Workspace) -> None:
    """Create `pg_temp.transform_joined`, with the noted edges: edges that may join types which are not registered."""
    workspace.create(
        "transform_joined",
        sql.SQL("""ON COMMIT DROP AS
            SELECT key[1] AS "sourceEntityId", key[2] AS "targetEntityId", key[3] AS "relationshipType"
            FROM pg_temp.transform_notes WHERE source = {}""").format(sql.Literal(f"openfaith_{TABLE}")),
    )


def note_joined(workspace: Workspace, table: LiteralString) -> None:
    """Note the edges in this temporary table as made or changed by a partial transform."""
    if workspace.is_partial:
        key = sql.SQL(", ").join(map(sql.Identifier, _KEY))
        statement = sql.SQL("INSERT INTO pg_temp.transform_joined SELECT {} FROM {}")
        workspace.execute(statement.format(key, sql.Identifier("pg_temp", table)))


_WANTED: Final = sql.SQL("""
INSERT INTO pg_temp.transform_wanted
SELECT
    CASE WHEN direction.is_outward THEN l."entityId" ELSE t."entityId" END AS "sourceEntityId",
    CASE WHEN direction.is_outward THEN t."entityId" ELSE l."entityId" END AS "targetEntityId",
    CASE WHEN direction.is_outward THEN {outward_type} ELSE {inward_type} END AS "relationshipType",
    CASE WHEN direction.is_outward THEN {owner_tag} ELSE {target_tag} END AS "sourceEntityTypeTag",
    CASE WHEN direction.is_outward THEN {target_tag} ELSE {owner_tag} END AS "targetEntityTypeTag",
    {key} AS relationship, {source} AS source, {values}
FROM {rows}
{survivors}
JOIN {owner_link}
JOIN {target_link}
{ends}
CROSS JOIN LATERAL (SELECT {is_outward} AS is_outward OFFSET 0) direction
{records}
WHERE {holds}
{group}""")


def _find_wanted(workspace: Workspace, active: Collection[Relationship]) -> None:
    """`pg_temp.transform_wanted`: the edges that hold; a statement for each relationship that applies."""
    columns = sql.SQL("""(
        "sourceEntityId" text, "targetEntityId" text, "relationshipType" text, "sourceEntityTypeTag" text,
        "targetEntityTypeTag" text, relationship text, source text, "createdAt" timestamptz, "updatedAt" timestamptz,
        metadata jsonb) ON COMMIT DROP""")
    workspace.create("transform_wanted", columns)
    for relationship in active:
        workspace.execute(_wanted(workspace, relationship))
    workspace.analyze("transform_wanted")


def _wanted(workspace: Workspace, relationship: Relationship) -> sql.Composed:
    held = holding(workspace, relationship, OWNERS)
    owner_id, owner_survivors = _near(relationship, held)
    target_id, target_survivors = survivor_of(relationship.target, held.far, "named")
    outward_type, inward_type = relationship.types
    return _WANTED.format(
        owner_tag=sql.Literal(relationship.owner.tag),
        target_tag=sql.Literal(relationship.target.tag),
        outward_type=sql.Literal(outward_type),
        inward_type=sql.Literal(inward_type),
        key=sql.Literal(relationship.key),
        source=sql.Literal(made_from(relationship.stream.adapter)),
        rows=held.rows,
        survivors=sql.SQL("{} {}").format(owner_survivors, target_survivors),
        owner_link=link_of(workspace, relationship.owner, owner_id),
        target_link=link_of(workspace, relationship.target, target_id, alias="t"),
        is_outward=is_source(sql.Identifier("l", "entityId"), sql.Identifier("t", "entityId")),
        **_parts(workspace, relationship, held, owner_id, target_id),
    )


def _near(relationship: Relationship, held: Holding) -> tuple[sql.Composable, sql.Composable]:
    """The near end's record and its join; a merged owner's own relationships do not hold at all."""
    if relationship.edge:
        return survivor_of(relationship.owner, held.near, "near")
    return held.near, sql.SQL("")


def _parts(
    workspace: Workspace, relationship: Relationship, held: Holding, owner_id: sql.Composable, target_id: sql.Composable
) -> dict[str, sql.Composable]:
    """The parts in which a relationship of a record differs from a record that is an edge, which has metadata."""
    target = sql.SQL("LEFT JOIN {} tr ON tr.org_id = %(org_id)s AND tr.id = {}").format(
        workspace.raw(relationship.target.stream), target_id
    )
    holds = sql.SQL("{} AND {}").format(held.condition, _is_live("tr", "t"))
    if not relationship.edge:
        values = sql.SQL("{}, {}, NULL::jsonb").format(created_at(relationship.owner), updated_at(relationship.owner))
        return {"values": values, "ends": target, "records": sql.SQL(""), "holds": holds, "group": sql.SQL("")}
    owner = sql.SQL("LEFT JOIN {} nr ON nr.org_id = %(org_id)s AND nr.id = {}").format(
        workspace.raw(relationship.owner.stream), owner_id
    )
    return {
        "values": RECORD_VALUES,
        "ends": sql.SQL("{} {}").format(target, owner),
        "records": records_of_edge(workspace, relationship.edge),
        "holds": sql.SQL("{} AND {}").format(holds, _is_live("nr", "l")),
        "group": sql.SQL("GROUP BY 1, 2, 3, 4, 5"),
    }


def _is_live(raw: LiteralString, link: LiteralString) -> sql.Composable:
    """SQL: whether the record of this raw row and link, which may have no row, is not deleted.

    The row of a deleted record goes when its time is over; the link still says that it was deleted.
    """
    return sql.SQL('({raw}._deleted_at IS NULL AND ({raw}.id IS NOT NULL OR {link}."deletedAt" IS NULL))').format(
        raw=sql.SQL(raw), link=sql.SQL(link)
    )


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
    return workspace.insert(TABLE, rows)


def _update(workspace: Workspace) -> int:
    assignments = sql.SQL(
        'metadata = {metadata}, "createdAt" = d."createdAt", "updatedAt" = d."updatedAt",'
        ' "deletedAt" = NULL, "deletedBy" = NULL'
    ).format(metadata=_METADATA)
    found = sql.SQL("pg_temp.transform_edges d WHERE {} AND NOT d.is_new AND NOT d.is_stale").format(SAME_EDGE)
    return workspace.update(TABLE, assignments, found)


def _stale(workspace: Workspace, active: Collection[Relationship]) -> list[Relationship]:
    """The relationships with edges that no longer hold."""
    keys = {key for (key,) in workspace.rows(sql.SQL(_STALE_KEYS))}
    return [each for each in active if each.key in keys]


def _remove(workspace: Workspace, relationship: Relationship) -> int:
    """End the edges that no longer hold, on the evidence of a loaded record."""
    found = sql.SQL("""
        pg_temp.transform_edges d
        WHERE {same_edge} AND d.is_stale AND d.relationship = {relationship} AND d.source = {source}
            AND (d."sourceEntityTypeTag", d."targetEntityTypeTag")
                IN (({owner}, {target}), ({target}, {owner}))
            AND {is_loaded}""").format(
        same_edge=SAME_EDGE,
        relationship=sql.Literal(relationship.key),
        source=sql.Literal(made_from(relationship.stream.adapter)),
        owner=sql.Literal(relationship.owner.tag),
        target=sql.Literal(relationship.target.tag),
        is_loaded=_is_loaded(workspace, relationship),
    )
    ended = sql.SQL('"deletedAt" = now(), "deletedBy" = {}').format(sql.Literal(relationship.stream.adapter))
    return workspace.update(TABLE, ended, found)


def _is_loaded(workspace: Workspace, relationship: Relationship) -> sql.Composable:
    """SQL: whether the record behind the edge `d` was loaded; only then does a missing relationship end the edge."""
    raw = workspace.raw(relationship.stream)
    if relationship.edge:
        return sql.SQL("EXISTS (SELECT FROM {} r WHERE r.org_id = %(org_id)s AND r.id = d.record_id)").format(raw)
    return sql.SQL("""EXISTS (
                SELECT FROM {links} l JOIN {raw} r ON r.org_id = %(org_id)s AND r.id = {record_id}
                WHERE l."orgId" = %(org_id)s AND {is_link}
                    AND l."entityId" = CASE WHEN d."sourceEntityTypeTag" = {owner}
                        THEN d."sourceEntityId" ELSE d."targetEntityId" END)""").format(
        links=workspace.canonical("externalLinks"),
        raw=raw,
        record_id=record_id_of(relationship.owner, "l"),
        is_link=is_link_of(relationship.owner, "l"),
        owner=sql.Literal(relationship.owner.tag),
    )


SAME_EDGE: Final = sql.SQL(
    'target."orgId" = %(org_id)s AND target."sourceEntityId" = d."sourceEntityId"'
    ' AND target."targetEntityId" = d."targetEntityId" AND target."relationshipType" = d."relationshipType"'
)
