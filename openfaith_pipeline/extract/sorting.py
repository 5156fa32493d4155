"""The records of a page by the stream they belong to, each with the parents it was found under."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from openfaith_pipeline.catalog import Stream
from openfaith_pipeline.walk import Carried, Record, Route, id_of


def sort_records(
    route: Route, kept: Collection[Stream], rows: list[Any], included: list[Any], parents: Mapping[str, str]
) -> dict[str, list[Record]]:
    """By stream name."""
    sorted_records: dict[str, list[Record]] = {}
    if route.lead in kept:
        sorted_records[route.lead.name] = [Record(row, parents) for row in rows]
    carried = {each.stream.type: each.stream for each in route.carried}
    if not carried:
        return sorted_records
    owners = _owners(route, rows, included)
    for row in included:
        stream = carried.get(_type_of(row))
        if stream:
            owner = owners.get((stream.type, id_of(row) or ""), {})
            sorted_records.setdefault(stream.name, []).append(Record(row, {**parents, **owner}))
    return sorted_records


def _type_of(row: Any) -> str:
    """A row's type, empty for a row too broken to have one."""
    value = row.get("type") if isinstance(row, dict) else None
    return value if isinstance(value, str) else ""


def _owners(route: Route, rows: list[Any], included: list[Any]) -> dict[tuple[str, str], Mapping[str, str]]:
    """(type, id) of each carried record -> the parent that names it; children do not always name theirs."""
    carried_by: dict[str, list[Carried]] = defaultdict(list)
    for each in route.carried:
        carried_by[each.parent.type].append(each)
    owners: dict[tuple[str, str], Mapping[str, str]] = {}
    for row in (*rows, *included):
        for each in carried_by.get(_type_of(row), ()):
            owner = {each.relationship: id_of(row) or ""}
            for child in _children_named(row, each.include.rpartition(".")[2]):
                owners[(each.stream.type, child)] = owner
    return owners


def _children_named(row: Any, relationship: str) -> list[str]:
    relationships = row.get("relationships") if isinstance(row, dict) else None
    linkage = relationships.get(relationship) if isinstance(relationships, dict) else None
    data = linkage.get("data") if isinstance(linkage, dict) else None
    return [identifier for item in (data if isinstance(data, list) else [data]) if (identifier := id_of(item))]


def left_out(route: Route, rows: list[Any], included: list[Any]) -> list[tuple[Carried, str]]:
    """Records that the rows name and the answer lacks, of streams that could be read otherwise.

    Planning Center's relationships have been seen to name an email that `included` lacked for minutes.
    """
    there = {(_type_of(row), id_of(row)) for row in included}
    missing: list[tuple[Carried, str]] = []
    for each in route.carried:
        if each.stream.comes_with:
            named = (identifier for row in rows for identifier in _children_named(row, each.include))
            missing += [(each, child) for child in dict.fromkeys(named) if (each.stream.type, child) not in there]
    return missing
