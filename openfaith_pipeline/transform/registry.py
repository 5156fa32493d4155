"""Which entities there are, and the relationships between them that follow from the catalog."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from openfaith_pipeline.catalog.stream import Merging, Stream
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.transform.addresses import ADDRESSES
from openfaith_pipeline.transform.campuses import CAMPUSES
from openfaith_pipeline.transform.emails import EMAILS
from openfaith_pipeline.transform.entity import Entity
from openfaith_pipeline.transform.people import PEOPLE
from openfaith_pipeline.transform.phone_numbers import PHONE_NUMBERS

ENTITIES: Final[Mapping[str, Entity]] = {
    entity.table: entity for entity in (CAMPUSES, PEOPLE, EMAILS, PHONE_NUMBERS, ADDRESSES)
}
"""Every entity by its table; an entity stands after those its records point to."""


@dataclass(frozen=True)
class Relationship:
    """A to-one relationship of the source whose two ends are both entities: an edge for each record that has it.

    Not one between two records of the same entity, such as who created a person: an edge's direction follows from its
    ends' ids alone, so two people who created each other would be one edge, and no edge would say who created whom.
    """

    key: str
    owner: Entity
    target: Entity


def _relationships() -> tuple[Relationship, ...]:
    by_stream = {entity.stream.name: entity for entity in ENTITIES.values()}
    return tuple(
        Relationship(key, owner, by_stream[target])
        for owner in ENTITIES.values()
        for key, target in owner.stream.belongs_to.items()
        if target in by_stream and by_stream[target] is not owner
    )


RELATIONSHIPS: Final = _relationships()


@dataclass(frozen=True)
class Merges:
    """A stream whose records tell which records of an entity were merged into which others."""

    stream: Stream
    merging: Merging
    entity: Entity


def _merges() -> Mapping[str, Merges]:
    by_stream = {entity.stream.name: entity for entity in ENTITIES.values()}
    told = ((stream, stream.merging) for stream in STREAMS.values() if stream.merging)
    return {
        by_stream[merging.target].table: Merges(stream, merging, by_stream[merging.target])
        for stream, merging in told
        if merging.target in by_stream
    }


MERGES: Final = _merges()
"""By the table of the entity whose records are merged."""
