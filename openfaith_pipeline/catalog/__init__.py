"""What is synced: one declaration for each stream, one module for each product.

Everything about a stream (raw table, asset, checks, simulator endpoint, docs row) is derived from its declaration.
Nothing of ours is imported here, and nothing outside the canonical transforms names a stream.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType, ModuleType

from openfaith_pipeline.catalog import (
    api,
    calendar,
    check_ins,
    giving,
    groups,
    people,
    people_lists,
    people_workflows,
    publishing,
    registrations,
    services,
    webhooks,
)
from openfaith_pipeline.catalog.stream import ColumnType, Population, Product, Strategy, Stream

__all__ = [
    "STREAMS",
    "ColumnType",
    "Population",
    "Product",
    "Strategy",
    "Stream",
    "carried_names",
    "registry_of",
    "streams_of",
]

_PRODUCT_MODULES = (
    people,
    people_lists,
    people_workflows,
    groups,
    giving,
    calendar,
    check_ins,
    services,
    registrations,
    publishing,
    webhooks,
    api,
)


def registry_of(modules: Iterable[ModuleType]) -> Mapping[str, Stream]:
    """Every stream the modules declare, by name and in their order; raises ValueError where they do not fit."""
    declared = [value for module in modules for value in vars(module).values() if isinstance(value, Stream)]
    registry = {stream.name: stream for stream in declared}
    if len(registry) != len(declared):
        raise ValueError("two streams share one name")
    for stream in declared:
        unknown = {target for target in _targets(stream) if target not in registry}
        if unknown:
            raise ValueError(f"{stream.name} refers to unknown streams: {sorted(unknown)}")
    return MappingProxyType(registry)


def _targets(stream: Stream) -> set[str]:
    to_one = {target for target in stream.belongs_to.values() if target}
    to_many = {target for target in stream.has_many.values() if target}
    return to_one | to_many | set(stream.walked_under.values())


STREAMS: Mapping[str, Stream] = registry_of(_PRODUCT_MODULES)
"""Every stream by name, in declaration order: parents stand before their children."""


def streams_of(product: Product) -> tuple[Stream, ...]:
    """The streams of one product, in declaration order."""
    return tuple(stream for stream in STREAMS.values() if stream.product is product)


def carried_names(stream: Stream, catalog: Mapping[str, Stream] | None = None) -> frozenset[str]:
    """The `include` names by which other streams' records come with this one's."""
    return frozenset(
        each.include if path == each.path else path.rsplit("/", 1)[-1]
        for each in (STREAMS if catalog is None else catalog).values()
        if each.include
        for path in each.paths()
        if each.parent_of(path) == stream.name
    )
