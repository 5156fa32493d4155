"""Which records a partial transform looks at: those that changed, and all whose rows, links or edges follow from them.

`pg_temp.transform_scope` has them by entity type and id. It is closed under what one canonical row can follow from: the
records that share an entity, and the people that any mergers connect, in whatever order these count.
`pg_temp.transform_owners` has the records whose edges are looked at: those, and the records that point to them.
"""

from collections.abc import Iterable
from typing import Final

from psycopg import sql

from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.database.change_notes import EDGES, LINKS
from openfaith_pipeline.transform.edges import relationship_types
from openfaith_pipeline.transform.registry import ENTITIES, RELATIONSHIPS
from openfaith_pipeline.transform.workspace import OWNERS, SCOPE, Workspace

LARGEST: Final = 20_000
"""Records; of a church of 60,000 people to follow so many costs two thirds of comparing everything (benchmark e)."""

_TABLE: Final = sql.SQL("(entity_type text, id text, PRIMARY KEY (entity_type, id)) ON COMMIT DROP")


def create_scope(workspace: Workspace) -> int:
    """Fill `transform_scope` from the notes; returns how many records it has. Needs `transform_kin` of the mergers."""
    workspace.create(SCOPE, _TABLE)
    for seed in _seeds(workspace):
        _add(workspace, SCOPE, seed)
    added = 1
    while added:
        added = _add(workspace, SCOPE, _KIN) + _add(workspace, SCOPE, _siblings(workspace, SCOPE))
    workspace.analyze(SCOPE)
    return workspace.count(sql.SQL("SELECT count(*) FROM pg_temp.transform_scope"))


def create_owners(workspace: Workspace) -> None:
    """Fill `transform_owners`, after the links are what they are to be."""
    workspace.create(OWNERS, _TABLE)
    _add(workspace, OWNERS, sql.SQL("SELECT entity_type, id FROM pg_temp.transform_scope"))
    for relationship in RELATIONSHIPS:
        pointing = sql.SQL(
            "SELECT {owner}, r.id FROM pg_temp.transform_scope s JOIN {raw} r ON r.org_id = %(org_id)s"
            " AND r.{column} = s.id WHERE s.entity_type = {target}"
        ).format(
            owner=sql.Literal(relationship.owner.tag),
            raw=workspace.raw(relationship.owner.stream),
            column=sql.Identifier(f"{relationship.key}_id"),
            target=sql.Literal(relationship.target.tag),
        )
        _add(workspace, OWNERS, pointing)
    _add(workspace, OWNERS, _siblings(workspace, OWNERS))
    workspace.analyze(OWNERS)


def _add(workspace: Workspace, table: str, records: sql.Composable) -> int:
    statement = sql.SQL("INSERT INTO {} (entity_type, id) {} ON CONFLICT DO NOTHING")
    return workspace.execute(statement.format(sql.Identifier("pg_temp", table), records))


def _seeds(workspace: Workspace) -> Iterable[sql.Composable]:
    for entity in ENTITIES.values():
        yield sql.SQL("SELECT {}, key[1] FROM pg_temp.transform_notes WHERE source = {}").format(
            sql.Literal(entity.tag), sql.Literal(entity.stream.name)
        )
    yield sql.SQL("SELECT key[1], key[2] FROM pg_temp.transform_notes WHERE source = {} AND key[1] = ANY({})").format(
        sql.Literal(f"{CANONICAL_PREFIX}{LINKS}"), sql.Literal([entity.tag for entity in ENTITIES.values()])
    )
    tables = [f"{CANONICAL_PREFIX}{table}" for table in ENTITIES]
    yield _linked(workspace, sql.SQL("n.source = ANY({})").format(sql.Literal(tables)), 1)
    for relationship in RELATIONSHIPS:
        for place, relationship_type in enumerate(relationship_types(relationship), start=1):
            condition = sql.SQL('n.source = {} AND n.key[3] = {} AND l."entityType" = {}').format(
                sql.Literal(f"{CANONICAL_PREFIX}{EDGES}"),
                sql.Literal(relationship_type),
                sql.Literal(relationship.owner.tag),
            )
            yield _linked(workspace, condition, place)


def _linked(workspace: Workspace, condition: sql.Composable, place: int) -> sql.Composable:
    """The records of the entity that a note's key has at this place."""
    return sql.SQL(
        'SELECT l."entityType", l."externalId" FROM pg_temp.transform_notes n JOIN {links} l'
        ' ON l."orgId" = %(org_id)s AND l.adapter = %(adapter)s AND l."entityId" = n.key[{place}]'
        ' WHERE {condition} AND l."entityType" = ANY({tags})'
    ).format(
        links=workspace.canonical(LINKS),
        place=sql.Literal(place),
        condition=condition,
        tags=sql.Literal([entity.tag for entity in ENTITIES.values()]),
    )


_KIN: Final = sql.SQL(
    "SELECT s.entity_type, other.record_id FROM pg_temp.transform_scope s"
    " JOIN pg_temp.transform_kin mine ON mine.entity_type = s.entity_type AND mine.record_id = s.id"
    " JOIN pg_temp.transform_kin other ON other.entity_type = mine.entity_type AND other.kin = mine.kin"
)


def _siblings(workspace: Workspace, table: str) -> sql.Composable:
    """The records that share their entity with one of the table's."""
    return sql.SQL(
        'SELECT other."entityType", other."externalId" FROM {table} s JOIN {links} l ON l."orgId" = %(org_id)s'
        ' AND l.adapter = %(adapter)s AND l."entityType" = s.entity_type AND l."externalId" = s.id'
        ' JOIN {links} other ON other."entityId" = l."entityId" AND other."orgId" = %(org_id)s'
        ' AND other.adapter = %(adapter)s AND other."entityType" = s.entity_type'
        ' WHERE other."externalId" <> s.id'
    ).format(table=sql.Identifier("pg_temp", table), links=workspace.canonical(LINKS))
