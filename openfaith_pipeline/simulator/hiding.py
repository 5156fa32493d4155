"""Records that a listing hides by default: archived groups and their records, deleted or hidden records.

The declarations say which parameter shows them; its name and value say which records it concerns.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import parse_qsl

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.tables import Table

_STATUS = re.compile(r"where(?:\[(?P<relation>\w+)\])?\[archive_status\]")
_FLAG = re.compile(r"where\[(?P<attribute>\w+)\]")


@dataclass(frozen=True)
class Rule:
    """Hide records whose `attribute` is set, on the record itself or on the target of its `relation`.

    parameter, value: shows them. is_only: then shows nothing else.
    """

    attribute: str
    relation: str | None
    parameter: str
    value: str
    is_only: bool


def visible(
    church: Church, table: Table, params: Mapping[str, str], scope: Sequence[int] | None
) -> Sequence[int] | None:
    """Ids in `scope` (all when None) that a listing with these parameters shows."""
    for rule in _rules(table.shape.stream):
        is_asked = params.get(rule.parameter) == rule.value
        if is_asked and not rule.is_only:
            continue
        left_out = _left_out(church, table, rule)
        if left_out or is_asked:
            scope = [id for id in (table.ids if scope is None else scope) if (id in left_out) == is_asked]
    return scope


def showing(stream: Stream) -> tuple[tuple[str, str], ...]:
    """The parameters, as (name, value), that show hidden records of a stream."""
    return tuple((rule.parameter, rule.value) for rule in _rules(stream))


@cache
def _rules(stream: Stream) -> tuple[Rule, ...]:
    hidden = (pair for listing in stream.hidden_under for pair in parse_qsl(listing.partition("?")[2]))
    return (
        *(_rule(name, value, is_only=False) for name, value in stream.asks_all.items()),
        *(_rule(name, value, is_only=True) for name, value in hidden),
    )


def _rule(name: str, value: str, *, is_only: bool) -> Rule:
    status = _STATUS.fullmatch(name)
    if status:
        return Rule("archived_at", status["relation"], name, value, is_only)
    flag = _FLAG.fullmatch(name)
    attribute = flag["attribute"] if flag else "deleted_at" if "deleted" in value else "archived_at"
    return Rule(attribute, None, name, value, is_only)


def _left_out(church: Church, table: Table, rule: Rule) -> set[int]:
    if rule.relation is None:
        return {record.id for record in table.records() if record.attributes.get(rule.attribute)}
    found: set[int] = set()
    for record in table.records():
        target = record.relations.get(rule.relation)
        other = church.table(target[0]) if target else None
        if target and other and target[1] in other and other.record(target[1]).attributes.get(rule.attribute):
            found.add(record.id)
    return found
