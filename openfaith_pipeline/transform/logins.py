"""The edge `user-is-person` between a user of OpenFaith and the person of the org that the user is at the source.

OpenFaith's engine finds a login's person by e-mail, in any org. Here it is the person that the source itself names for
the user's own token, in the org that the token is for. Where anything is doubtful there is no edge: the user has to be
a member of the org, the person loaded there and not deleted, and neither side may have ended or made such an edge of
the user before.
"""

from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.sources import ENTITIES
from openfaith_pipeline.transform import changes, edges
from openfaith_pipeline.transform.edges import is_source
from openfaith_pipeline.transform.entity_relationships import write_entity_relationships
from openfaith_pipeline.transform.identity import adapter_of, external_id
from openfaith_pipeline.transform.transformation import take_turn
from openfaith_pipeline.transform.workspace import Workspace

CAUSE: Final = "login"
TYPE: Final = "user-is-person"

_EDGE: Final = sql.SQL("""
("orgId", "sourceEntityId", "targetEntityId", "relationshipType", "sourceEntityTypeTag", "targetEntityTypeTag",
    metadata, "createdAt")
SELECT %(org_id)s,
    CASE WHEN direction.is_outward THEN p.id ELSE %(user)s END,
    CASE WHEN direction.is_outward THEN %(user)s ELSE p.id END, {type},
    CASE WHEN direction.is_outward THEN {tag} ELSE 'user' END,
    CASE WHEN direction.is_outward THEN 'user' ELSE {tag} END,
    jsonb_build_object('relationshipKey', {type}, 'source', {source}), now()
FROM {links} l JOIN {people} p ON p.id = l."entityId" AND p."orgId" = l."orgId" AND p."deletedAt" IS NULL
CROSS JOIN LATERAL (SELECT {is_outward} AS is_outward) direction
WHERE l."orgId" = %(org_id)s AND l.adapter = {adapter} AND l."entityType" = {tag} AND l."deletedAt" IS NULL
    AND l."externalId" = {record} AND {may_be_linked}
ON CONFLICT DO NOTHING""")

_MAY_BE_LINKED: Final = """
EXISTS (SELECT FROM {members} m WHERE m."orgId" = %(org_id)s AND m."userId" = %(user)s)
AND NOT EXISTS (SELECT FROM {edges} e WHERE e."orgId" = %(org_id)s AND e."relationshipType" = {type}
    AND %(user)s IN (e."sourceEntityId", e."targetEntityId"))"""


@dataclass(frozen=True)
class Login:
    """A user of OpenFaith in one org. schema: of OpenFaith's tables."""

    org_id: str
    schema: str
    user_id: str


def may_be_linked(connection: psycopg.Connection[Any], login: Login) -> bool:
    """Whether the user is a member of the org and has never had such an edge there."""
    statement = sql.SQL("SELECT {}").format(_may_be_linked(login.schema))
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(statement, {"org_id": login.org_id, "user": login.user_id}).fetchone()
    return found == (True,)


def link_login(connection: psycopg.Connection[Any], login: Login, person: tuple[str, str], sync_id: str) -> bool:
    """Make the edge if nothing is doubtful; returns whether it was made. The caller commits.

    person: the stream and the id of the record that the source names for the user.
    """
    stream, record_id = person
    entity = ENTITIES[stream]
    with connection.cursor(row_factory=tuple_row) as cursor:
        workspace = Workspace(cursor, login.org_id, login.schema, sync_id, CAUSE)
        take_turn(cursor, login.org_id)
        changes.be_quiet(cursor, is_quiet=True)
        made = workspace.insert(edges.TABLE, _edge(workspace, entity), user=login.user_id, record=record_id)
        if made:
            write_entity_relationships(workspace)
        changes.be_quiet(cursor, is_quiet=False)
    return bool(made)


def _edge(workspace: Workspace, entity: Entity) -> sql.Composed:
    return _EDGE.format(
        type=sql.Literal(TYPE),
        tag=sql.Literal(entity.tag),
        adapter=adapter_of(entity),
        # No record holds such an edge, so that neither a transform nor a rebuild ends it.
        source=sql.Literal(f"{entity.stream.adapter}_login"),
        links=workspace.canonical("externalLinks"),
        people=workspace.canonical(entity.table),
        is_outward=is_source(sql.Identifier("p", "id"), sql.SQL("%(user)s::text")),
        record=external_id(entity, sql.SQL("%(record)s::text")),
        may_be_linked=_may_be_linked(workspace.schema),
    )


def _may_be_linked(schema: str) -> sql.Composed:
    return sql.SQL(_MAY_BE_LINKED).format(
        members=sql.Identifier(schema, "openfaith_orgUsers"),
        edges=sql.Identifier(schema, "openfaith_edges"),
        type=sql.Literal(TYPE),
    )
