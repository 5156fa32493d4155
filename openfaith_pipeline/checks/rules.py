"""The rules, and the streams that each applies to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection, sql

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.parentage import is_parentless
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.orgs.newest_syncs import newest_sync
from openfaith_pipeline.sources import STREAMS


@dataclass(frozen=True)
class Finding:
    """Result of a rule. `counts`: named numbers, without personal data."""

    passed: bool
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Rule:
    """A check of one stream's published rows of one org.

    examine_sync: examines the rows that one sync has written, by its id. A sync whose rows fail it is rolled back.
    """

    name: str
    description: str
    applies_to: Callable[[Stream], bool]
    examine: Callable[[Connection[Any], Stream, str], Finding]
    examine_sync: Callable[[Connection[Any], Stream, str, str], Finding] | None = None

    @property
    def is_blocking(self) -> bool:
        return self.examine_sync is not None


def _examine_quarantine(connection: Connection[Any], stream: Stream, org_id: str) -> Finding:
    row = connection.execute(
        "SELECT count(*) FROM sync.quarantine WHERE org_id = %s AND stream = %s AND resolved_at IS NULL",
        (org_id, stream.name),
    ).fetchone()
    count = row[0] if row else 0
    return Finding(passed=count == 0, counts={"quarantined": count})


def _examine_relationships(connection: Connection[Any], stream: Stream, org_id: str) -> Finding:
    counts = {
        relationship: _count_dangling(connection, stream, relationship, target, org_id)
        for relationship, target in _targets(stream).items()
    }
    return Finding(passed=not any(counts.values()), counts=counts)


def _count_dangling(connection: Connection[Any], stream: Stream, relationship: str, target: Stream, org_id: str) -> int:
    # A target without any synced rows says nothing about these rows, hence the second EXISTS.
    query = sql.SQL(
        "SELECT count(*) FROM {table} AS child WHERE org_id = %(org)s AND _deleted_at IS NULL AND {column} IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM {target} WHERE org_id = %(org)s AND id = child.{column})"
        " AND EXISTS (SELECT FROM {target} WHERE org_id = %(org)s)"
    ).format(
        table=raw_name(stream),
        column=sql.Identifier(f"{relationship}_id"),
        target=raw_name(target),
    )
    row = connection.execute(query, {"org": org_id}).fetchone()
    return row[0] if row else 0


def _targets(stream: Stream) -> dict[str, Stream]:
    return {name: STREAMS[target] for name, target in stream.belongs_to.items() if target}


def _examine_parents(connection: Connection[Any], stream: Stream, org_id: str) -> Finding:
    query = sql.SQL("SELECT count(*) FROM {} WHERE org_id = %s AND _deleted_at IS NULL AND {}").format(
        raw_name(stream), is_parentless(stream)
    )
    row = connection.execute(query, (org_id,)).fetchone()
    count = row[0] if row else 0
    return Finding(passed=count == 0, counts={"parentless": count})


def _content(stream: Stream) -> list[str]:
    """Columns with the record's content: all but times and relationships."""
    related = {f"{name}_id" for name in stream.belongs_to}
    return [name for name in stream.attributes if name not in {"created_at", "updated_at", *related}]


def _examine_newest_content(connection: Connection[Any], stream: Stream, org_id: str) -> Finding:
    newest = f"SELECT sync_id FROM ({newest_sync('%(org)s', '%(stream)s')}) AS last"  # noqa: S608 - parts of ours
    row = connection.execute(newest, {"org": org_id, "stream": stream.name}).fetchone()
    return _examine_content(connection, stream, org_id, row[0] if row else "")


def _examine_content(connection: Connection[Any], stream: Stream, org_id: str, sync_id: str) -> Finding:
    """Count the rows that the sync updated, and those that lost all their content in it.

    New rows are not counted: those without content have lost none, and the others would outweigh the loss.
    """
    query = sql.SQL(
        "WITH updated AS (SELECT id, num_nonnulls({content}) = 0 AS is_blank FROM {table}"
        " WHERE org_id = %(org)s AND _sync_id = %(sync)s AND _deleted_at IS NULL AND _first_seen_at < _synced_at)"
        " SELECT count(*), count(*) FILTER (WHERE is_blank AND EXISTS ("
        " SELECT FROM sync.journal WHERE org_id = %(org)s AND table_name = {name} AND action = 'update'"
        " AND sync_id = %(sync)s AND jsonb_hash(row_key) = jsonb_hash(jsonb_build_object('id', updated.id))"
        " AND row_key = jsonb_build_object('id', updated.id) AND num_nonnulls({before}) > 0)) FROM updated"
    ).format(
        content=sql.SQL(", ").join(map(sql.Identifier, _content(stream))),
        before=sql.SQL(", ").join(sql.SQL("before ->> {}").format(sql.Literal(name)) for name in _content(stream)),
        table=raw_name(stream),
        name=sql.Literal(stream.raw_table),
    )
    updated, blanked = connection.execute(query, {"org": org_id, "sync": sync_id}).fetchone() or (0, 0)
    is_passed = blanked < FEWEST_BLANKED or 2 * blanked < updated
    return Finding(passed=is_passed, counts={"updated": updated, "blanked": blanked})


FEWEST_BLANKED: Final = 20
"""Rows that must lose all their content in one sync, and at least half of those updated, for the check to fail."""

RULES: Final = (
    Rule(
        name="nothing_quarantined",
        description="All values that Planning Center sent could be typed; those that could not are in quarantine.",
        applies_to=lambda _: True,
        examine=_examine_quarantine,
    ),
    Rule(
        name="relationships_resolve",
        description="Every relationship points at a record that was synced too.",
        applies_to=lambda stream: bool(_targets(stream)),
        examine=_examine_relationships,
    ),
    Rule(
        name="rows_have_their_parent",
        description="Every row has the parent that it was found under, which most records do not name themselves.",
        applies_to=lambda stream: bool(stream.parent_ways),
        examine=_examine_parents,
    ),
    Rule(
        name="rows_keep_their_content",
        description="No sync empties the rows that it updates, as happens when a permission is withdrawn.",
        applies_to=lambda stream: len(_content(stream)) > 1,
        examine=_examine_newest_content,
        examine_sync=_examine_content,
    ),
)


def rules_for(stream: Stream) -> tuple[Rule, ...]:
    """The rules that apply to a stream."""
    return tuple(rule for rule in RULES if rule.applies_to(stream))
