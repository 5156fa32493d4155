"""The rules, and which streams each applies to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection, sql

from openfaith_pipeline.catalog import STREAMS, Stream


@dataclass(frozen=True)
class Finding:
    """What a rule found: `counts` names what it counted, without personal data."""

    passed: bool
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Rule:
    """One thing to examine in a stream's published rows of one org."""

    name: str
    description: str
    applies_to: Callable[[Stream], bool]
    examine: Callable[[Connection[Any], Stream, str], Finding]


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
    # A target of which nothing is synced yet says nothing about these rows, hence the second EXISTS.
    query = sql.SQL(
        "SELECT count(*) FROM {table} AS child WHERE org_id = %(org)s AND _deleted_at IS NULL AND {column} IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM {target} WHERE org_id = %(org)s AND id = child.{column})"
        " AND EXISTS (SELECT FROM {target} WHERE org_id = %(org)s)"
    ).format(
        table=sql.Identifier(stream.schema, stream.short_name),
        column=sql.Identifier(f"{relationship}_id"),
        target=sql.Identifier(target.schema, target.short_name),
    )
    row = connection.execute(query, {"org": org_id}).fetchone()
    return row[0] if row else 0


def _targets(stream: Stream) -> dict[str, Stream]:
    return {name: STREAMS[target] for name, target in stream.belongs_to.items() if target}


RULES: Final = (
    Rule(
        name="nothing_quarantined",
        description="Every record that Planning Center sent could be typed; those that could not wait in quarantine.",
        applies_to=lambda _: True,
        examine=_examine_quarantine,
    ),
    Rule(
        name="relationships_resolve",
        description="Every relationship points at a record that was synced too.",
        applies_to=lambda stream: bool(_targets(stream)),
        examine=_examine_relationships,
    ),
)


def rules_for(stream: Stream) -> tuple[Rule, ...]:
    """The rules that apply to a stream."""
    return tuple(rule for rule in RULES if rule.applies_to(stream))
