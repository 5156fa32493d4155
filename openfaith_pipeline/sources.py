"""All sources together: every stream, the mapping of its records and the views over them.

Nothing outside a source's own room, its mapping and the simulator names a stream.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from openfaith_pipeline.canonical.registry import Model, model_of
from openfaith_pipeline.catalog.connecting import Connector
from openfaith_pipeline.catalog.events import Event, Subscriptions, WebhookDialect
from openfaith_pipeline.catalog.personal import PersonalDataOfSources
from openfaith_pipeline.catalog.reading import Client, Reader
from openfaith_pipeline.catalog.source import Product, Source
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.view import Question, View
from openfaith_pipeline.planning_center import connector, envelopes, mapping, products, reader, views
from openfaith_pipeline.planning_center.personal import PERSONAL_DATA
from openfaith_pipeline.planning_center.source import PLANNING_CENTER
from openfaith_pipeline.planning_center.streams import STREAMS
from openfaith_pipeline.planning_center.webhook_subscriptions import WebhookSubscriptions

__all__ = [
    "CANONICAL",
    "CONNECTORS",
    "DEFAULT_SOURCE",
    "DIALECTS",
    "ENTITIES",
    "PERSONAL",
    "PRODUCTS",
    "QUESTIONS",
    "READERS",
    "SOURCES",
    "STREAMS",
    "SUBSCRIPTIONS",
    "VIEWS",
    "carried_names",
    "event_named",
    "names_of_source",
    "reader_of",
    "source_of",
    "streams_of",
    "streams_of_source",
]

DEFAULT_SOURCE: Final[Source] = PLANNING_CENTER
"""The source that is meant where a command, a page or a job names none. Only those read it: further in, the adapter is
an argument."""

SOURCES: Final[Mapping[str, Source]] = {source.adapter: source for source in (PLANNING_CENTER,)}
"""Every source by its adapter."""

PRODUCTS: Final[Mapping[str, Product]] = {product.value: product for product in products.Product}
"""Every product of every source by its name."""

DIALECTS: Final[Mapping[str, WebhookDialect]] = {PLANNING_CENTER.adapter: envelopes}
"""How the sources that have webhooks deliver, by adapter."""

SUBSCRIPTIONS: Final[Mapping[str, Callable[[Client], Subscriptions]]] = {PLANNING_CENTER.adapter: WebhookSubscriptions}
"""The webhook subscriptions behind a client, by adapter."""

CONNECTORS: Final[Mapping[str, Connector]] = {PLANNING_CENTER.adapter: connector}
"""The ways into the sources, by adapter."""

READERS: Final[Mapping[str, Reader]] = {PLANNING_CENTER.adapter: reader}
"""How the records of each source are read, by adapter."""

CANONICAL: Final[Model] = model_of(mapping.MODULES, STREAMS)
"""Every declaration of every source's mapping, and the tables and relationships derived from them."""

ENTITIES: Final = CANONICAL.entities
"""The entities by stream; folders are entities too."""

PERSONAL: Final = PersonalDataOfSources({PLANNING_CENTER.adapter: PERSONAL_DATA})
"""Whose data the records are: what is erased with a person, and what only names one."""

VIEWS: Final[Mapping[str, View]] = {view.name: view for view in views.VIEWS}
"""The views for people who query, by name, each after those it reads."""

QUESTIONS: Final[tuple[Question, ...]] = views.QUESTIONS
"""Questions that the views answer."""


def event_named(name: str, adapter: str | None = None) -> Event | None:
    """The source's event of that name, or that of any source; None if it is about nothing that is synced."""
    dialects = DIALECTS.values() if adapter is None else [DIALECTS[adapter]]
    return next(filter(None, (dialect.event_named(name) for dialect in dialects)), None)


def streams_of(product: Product) -> tuple[Stream, ...]:
    """The streams of one product, in declaration order."""
    return tuple(stream for stream in STREAMS.values() if stream.product is product)


def streams_of_source(adapter: str) -> tuple[Stream, ...]:
    """The streams of one source, in declaration order."""
    return tuple(stream for stream in STREAMS.values() if stream.adapter == adapter)


def names_of_source(adapter: str) -> list[str]:
    """Names of the source's streams, by which its part of an org's states is known.

    Statements that look at many orgs compare them with COLLATE "C": an index search for each name costs more than it
    finds.
    """
    return [stream.name for stream in streams_of_source(adapter)]


def source_of(streams: Iterable[Stream]) -> Source:
    """The one source that these streams are read from, the default one if there are none; ValueError for several."""
    found = {stream.adapter for stream in streams} or {DEFAULT_SOURCE.adapter}
    if len(found) > 1:
        raise ValueError(f"streams of several sources: {', '.join(sorted(found))}")
    return SOURCES[found.pop()]


def reader_of(stream: Stream) -> Reader:
    """How the stream is read."""
    return READERS[stream.adapter]


def carried_names(stream: Stream, catalog: Mapping[str, Stream] | None = None) -> frozenset[str]:
    """The relationships by which other streams' records come with this one's."""
    return frozenset(
        each.carried_as if path == each.path else path.rsplit("/", 1)[-1]
        for each in (STREAMS if catalog is None else catalog).values()
        if each.carried_as
        for path in each.paths()
        if each.parent_of(path) == stream.name
    )
