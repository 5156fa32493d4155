"""The sources joined: every stream there is and the mapping of its records, of every source.

Nothing outside a source's own room, its mapping and the simulator names a stream.
"""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.canonical.registry import Model, model_of
from openfaith_pipeline.catalog.stream import Product, Stream
from openfaith_pipeline.planning_center import mapping
from openfaith_pipeline.planning_center.streams import STREAMS

__all__ = ["CANONICAL", "ENTITIES", "STREAMS", "carried_names", "streams_of"]

CANONICAL: Final[Model] = model_of(mapping.MODULES, STREAMS)
"""Every declaration of every source's mapping, and the tables and relationships derived from them."""

ENTITIES: Final = CANONICAL.entities
"""The entities by stream; folders are entities too."""


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
