"""Where the rows of a relationship are, as SQL: of records, of links between them, or records that are the edge."""

from typing import NamedTuple

from psycopg import sql

from openfaith_pipeline.canonical.relationships import Relationship
from openfaith_pipeline.transform.survivors import is_merged
from openfaith_pipeline.transform.workspace import OWNERS, SCOPE, Workspace


class Holding(NamedTuple):
    """rows: the part after FROM; the row that holds the relationship is `r`. near, far: the ids of the two records.

    condition: of the rows of the org, those that are live, of the right type and of records to look at.
    """

    rows: sql.Composable
    near: sql.Composable
    far: sql.Composable
    condition: sql.Composable


def holding(workspace: Workspace, relationship: Relationship, records: str = SCOPE) -> Holding:
    """The relationship's rows; records: the list of those to look at in a partial transform."""
    near = sql.Identifier("r", relationship.near)
    far = sql.Identifier("k" if relationship.links else "r", relationship.far)
    # The edges of records that are edges are looked at by their near ends, which only the list of owners has.
    among = workspace.among(relationship.stream, near, OWNERS if relationship.edge else records)
    conditions = [sql.SQL("r.org_id = %(org_id)s AND r._deleted_at IS NULL"), among]
    if not relationship.edge:
        conditions.append(sql.SQL("NOT {}").format(is_merged(relationship.owner, near)))
    if relationship.type:
        is_of_type = sql.SQL("{} = {}").format(
            sql.Identifier("r", relationship.type_column), sql.Literal(relationship.type)
        )
        conditions.append(is_of_type)
    return Holding(_rows(workspace, relationship), near, far, sql.SQL(" AND ").join(conditions))


def _rows(workspace: Workspace, relationship: Relationship) -> sql.Composable:
    raw = workspace.raw(relationship.stream)
    if not relationship.links:
        return sql.SQL("{} r").format(raw)
    links = sql.Identifier(relationship.stream.schema, relationship.links)
    return sql.SQL("{} r JOIN {} k ON k.org_id = r.org_id AND k.id = r.id").format(raw, links)
