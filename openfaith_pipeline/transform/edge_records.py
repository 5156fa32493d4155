"""Records that are edges: their metadata, and several of them that are one edge."""

from typing import Final

from psycopg import sql

from openfaith_pipeline.canonical.model import Edge
from openfaith_pipeline.canonical.registry import kind_of
from openfaith_pipeline.canonical.rules import Rule
from openfaith_pipeline.transform.fields import metadata_of
from openfaith_pipeline.transform.values import json_scalar, value, with_default
from openfaith_pipeline.transform.workspace import Workspace

# The newest record gives the edge's metadata; all of them are in `records` where there are several.
RECORD_VALUES: Final = sql.SQL("""
min(item.created_at), max(item.updated_at),
(array_agg(item.said ORDER BY length(item.id) DESC, item.id COLLATE "C" DESC))[1] || CASE WHEN count(*) > 1
    THEN jsonb_build_object('records', jsonb_agg(item.said ORDER BY length(item.id), item.id COLLATE "C"))
    ELSE '{}' END""")

_ITEM: Final = sql.SQL("""
CROSS JOIN LATERAL (SELECT r.*) record
CROSS JOIN LATERAL (
    SELECT r.id, {created_at} AS created_at, {updated_at} AS updated_at,
        jsonb_strip_nulls(jsonb_build_object({pairs})) {fields} AS said) item""")


def records_of_edge(workspace: Workspace, edge: Edge) -> sql.Composable:
    """SQL: joins that give each raw row `r` its part in an edge, as `item`."""
    known = ("created_at", "updated_at")
    created = [sql.Identifier("r", name) for name in known if name in edge.stream.attributes]
    has_updated_at = "updated_at" in edge.stream.attributes
    return _ITEM.format(
        created_at=sql.SQL("COALESCE({})").format(
            sql.SQL(", ").join([*created, sql.Identifier("r", "_first_seen_at")])
        ),
        updated_at=sql.Identifier("r", "updated_at") if has_updated_at else sql.SQL("NULL::timestamptz"),
        pairs=_pairs(workspace, edge),
        fields=sql.SQL("").join(sql.SQL(" || {}").format(each) for each in metadata_of(workspace, edge.stream)),
    )


def _pairs(workspace: Workspace, edge: Edge) -> sql.Composable:
    pairs: list[sql.Composable] = [sql.SQL("'recordId', r.id")]
    for name, rule in edge.metadata.items():
        pairs += [sql.Literal(name), _said(workspace, rule, edge)]
    return sql.SQL(", ").join(pairs)


def _said(workspace: Workspace, rule: Rule, edge: Edge) -> sql.Composable:
    expression = with_default(rule, value(workspace, rule, edge.stream))
    return json_scalar(kind_of(rule, edge.stream), expression)
