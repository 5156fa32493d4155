"""Where gifts are stored, derived from the declarations: closed to readers without giving."""

from functools import cache
from typing import Final

from openfaith_pipeline.canonical.model import FOLDERS
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.view import View
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.sources import CANONICAL, STREAMS, VIEWS

OF_THE_CHURCH: Final = ("org_id", "time_zone", "_deleted_at")
"""Columns of a product's own record of the church that say nothing of gifts; views take the church's zone from them."""


@cache
def raw_tables_of_gifts() -> frozenset[str]:
    """Raw tables and link tables of the products that hold gifts, with their schema."""
    return frozenset(name for stream in STREAMS.values() if stream.product.holds_gifts for name in _raw_names(stream))


@cache
def raw_tables_without_gifts() -> tuple[str, ...]:
    """Raw tables without gifts: readers without giving may see their changes."""
    names = (name for stream in STREAMS.values() for name in _raw_names(stream))
    return tuple(sorted({*names} - raw_tables_of_gifts()))


@cache
def tags_of_gifts() -> tuple[str, ...]:
    """Tags of entities that are made of gifts, as they occur in links and at both ends of edges."""
    tables = (table for table in CANONICAL.tables.values() if f"{CANONICAL_PREFIX}{table.name}" in canonical_of_gifts())
    return tuple(sorted(table.tag for table in tables))


@cache
def canonical_of_gifts() -> frozenset[str]:
    """Canonical tables that are made of gifts alone."""
    return frozenset(
        f"{CANONICAL_PREFIX}{table.name}"
        for table in CANONICAL.tables.values()
        if all(entity.stream.product.holds_gifts for entity in table.entities)
    )


@cache
def folder_types_of_gifts() -> tuple[str, ...]:
    """`folderType` of folders of gifts, such as batches."""
    rules = (
        entity.columns["folderType"]
        for entity in CANONICAL.entities.values()
        if entity.table == FOLDERS and entity.stream.product.holds_gifts
    )
    return tuple(sorted(str(getattr(rule, "value", "")) for rule in rules))


@cache
def tables_with_fields_of_gifts() -> frozenset[str]:
    """Canonical tables of other entities whose custom fields reveal gifts, such as a person's means of payment."""
    return frozenset(
        f"{CANONICAL_PREFIX}{CANONICAL.known[each.on.name].table}"
        for each in CANONICAL.fields
        if each.stream.product.holds_gifts
        and each.on.name in CANONICAL.known
        and not CANONICAL.known[each.on.name].stream.product.holds_gifts
    )


@cache
def views_of_gifts() -> frozenset[str]:
    """Views that read a table of gifts, or another view that does, except for the church's zone."""
    found: set[str] = set()
    for view in VIEWS.values():  # each comes after those it reads
        reads_gifts = view.tables & (raw_tables_of_gifts() - tables_of_the_church())
        if reads_gifts or any(f"{{schema}}.{name}" in _words(view) for name in found):
            found.add(view.name)
    return frozenset(found)


@cache
def tables_of_the_church() -> frozenset[str]:
    """Raw tables of gifts' products with the one record that stands for the whole church."""
    return frozenset(
        stream.raw_table
        for stream in STREAMS.values()
        if stream.product.holds_gifts and stream.type == stream.product.source.account_type
    )


def _raw_names(stream: Stream) -> tuple[str, ...]:
    return (stream.raw_table, *(f"{stream.schema}.{name}" for name in stream.links.values()))


def _words(view: View) -> list[str]:
    return view.sql.split()
