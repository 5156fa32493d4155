"""Who stands for a record that was merged into another: to the transform a merged record is its survivor.

The mergers are all that were ever loaded, whether or not they, the removed record or the survivor are still there. So
it makes no difference whether a merge arrives before or after the removed record is found to be gone.
"""

from collections.abc import Iterator

from psycopg import sql

from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.canonical.registry import Merges
from openfaith_pipeline.catalog.mergers import survivors_of
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.transform.workspace import Workspace


def find_survivors(workspace: Workspace) -> None:
    """Fill `pg_temp.transform_survivors`: a row for each merged record of the org."""
    columns = sql.SQL("(stream text, record_id text, survivor_id text, merged_at timestamptz) ON COMMIT DROP")
    workspace.create("transform_survivors", columns)
    read = [(merges, _read_mergers(workspace, merges)) for merges in CANONICAL.merges.values()]
    workspace.copy("transform_survivors", [list(_merged(merges, mergers)) for merges, mergers in read])
    if workspace.is_partial:
        workspace.create("transform_kin", sql.SQL("(stream text, record_id text, kin text) ON COMMIT DROP"))
        workspace.copy("transform_kin", [list(_kin(merges, mergers)) for merges, mergers in read])


def _read_mergers(workspace: Workspace, merges: Merges) -> list[tuple[str, str, str]]:
    """Kept, removed and when, oldest first."""
    statement = sql.SQL("""
        SELECT {kept}, {removed}, COALESCE(created_at, _first_seen_at)::text FROM {raw}
        WHERE org_id = %(org_id)s AND {kept} IS NOT NULL AND {removed} IS NOT NULL
        ORDER BY created_at NULLS FIRST, length(id), id COLLATE "C\"""").format(
        kept=sql.Identifier(merges.merging.kept),
        removed=sql.Identifier(merges.merging.removed),
        raw=workspace.raw(merges.stream),
    )
    return [(kept, removed, moment) for kept, removed, moment in workspace.rows(statement)]


def _merged(merges: Merges, mergers: list[tuple[str, str, str]]) -> Iterator[tuple[str, str, str, str]]:
    merged_at = {removed: moment for _, removed, moment in reversed(mergers)}
    for removed, survivor in survivors_of((kept, removed) for kept, removed, _ in mergers).items():
        yield merges.entity.stream.name, removed, survivor, merged_at[removed]


def _kin(merges: Merges, mergers: list[tuple[str, str, str]]) -> Iterator[tuple[str, str, str]]:
    """Records connected by any mergers, including ignored ones: the meaning of one may depend on all the others."""
    kin: dict[str, list[str]] = {}
    for kept, removed, _ in mergers:
        ours, theirs = kin.setdefault(kept, [kept]), kin.setdefault(removed, [removed])
        if ours is not theirs:
            ours += theirs
            kin.update(dict.fromkeys(theirs, ours))
    return ((merges.entity.stream.name, record_id, group[0]) for record_id, group in kin.items())


def survivor_of(entity: Entity, record_id: sql.Composable, alias: str) -> tuple[sql.Composable, sql.Composable]:
    """SQL: the id of the record that stands for the entity's record of this id, and the join that `alias` needs."""
    if entity.stream.name not in CANONICAL.merges:
        return record_id, sql.SQL("")
    join = sql.SQL(
        "LEFT JOIN pg_temp.transform_survivors {alias} ON {alias}.stream = {stream} AND {alias}.record_id = {id}"
    ).format(alias=sql.Identifier(alias), stream=sql.Literal(entity.stream.name), id=record_id)
    return sql.SQL("COALESCE({}.survivor_id, {})").format(sql.Identifier(alias), record_id), join


def is_merged(entity: Entity, record_id: sql.Composable) -> sql.Composable:
    """SQL: whether another record stands for the entity's record of this id."""
    if entity.stream.name not in CANONICAL.merges:
        return sql.SQL("false")
    return sql.SQL(
        "EXISTS (SELECT FROM pg_temp.transform_survivors gone WHERE gone.stream = {} AND gone.record_id = {})"
    ).format(sql.Literal(entity.stream.name), record_id)
