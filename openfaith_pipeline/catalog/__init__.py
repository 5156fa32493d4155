"""What is synced: one declaration for each stream, one module for each product.

Everything about a stream (raw table, asset, checks, simulator endpoint, docs row) is derived from its declaration.
Nothing of ours is imported here, and nothing outside the canonical transforms names a stream.
"""

from collections.abc import Mapping
from types import MappingProxyType

from openfaith_pipeline.catalog import people
from openfaith_pipeline.catalog.stream import ColumnType, Population, Product, Strategy, Stream

__all__ = ["STREAMS", "ColumnType", "Population", "Product", "Strategy", "Stream", "streams_of"]

_PRODUCT_MODULES = (people,)


def _registry() -> Mapping[str, Stream]:
    declared = [value for module in _PRODUCT_MODULES for value in vars(module).values() if isinstance(value, Stream)]
    registry = {stream.name: stream for stream in declared}
    if len(registry) != len(declared):
        raise ValueError("two streams share one name")
    for stream in declared:
        unknown = {target for target in stream.belongs_to.values() if target and target not in registry}
        if unknown:
            raise ValueError(f"{stream.name} refers to unknown streams: {sorted(unknown)}")
    return MappingProxyType(registry)


STREAMS: Mapping[str, Stream] = _registry()
"""Every stream by name, in declaration order: parents stand before their children."""


def streams_of(product: Product) -> tuple[Stream, ...]:
    """The streams of one product, in declaration order."""
    return tuple(stream for stream in STREAMS.values() if stream.product is product)
