"""What travels from extraction to loading: a walk's records, in pages, each with the checkpoint that follows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from openfaith_pipeline.catalog import Strategy, Stream

Checkpoint = dict[str, Any]
"""JSON: everything needed to ask for the page after the one it was made with."""


@dataclass(frozen=True)
class Walk:
    """One listing to be read.

    lead: the stream whose path is listed.
    streams: those to be kept from its pages: the lead, unless only its children were asked for, and included ones.
    includes: by stream name, the dotted `include` that brings it: `{"people.field_options": "field_options"}`.
    strategy: how the listing is read.
    is_whole: whether every record is read, not only those changed since the watermark.
    """

    lead: Stream
    streams: tuple[Stream, ...]
    includes: Mapping[str, str]
    strategy: Strategy
    is_whole: bool

    @property
    def signature(self) -> dict[str, Any]:
        """What makes two walks the same, so that one can continue the other."""
        return {
            "streams": [stream.name for stream in self.streams],
            "strategy": self.strategy.value,
            "is_whole": self.is_whole,
            "query": self.query,
        }

    @property
    def query(self) -> dict[str, str]:
        """Parameters that every page of the walk shares."""
        return {"include": ",".join(sorted(self.includes.values()))} if self.includes else {}


class Record(NamedTuple):
    """One JSON:API resource object, with the ids of the parents it was listed under by relationship name."""

    resource: Any
    parents: Mapping[str, str]


class End(NamedTuple):
    """How a walk ended.

    total: the number of records the API reported at the end, None where only changes were asked for.
    is_steady: nothing was seen to come, go or move while the listing was read.
    """

    total: int | None = None
    is_steady: bool = True


@dataclass(frozen=True)
class Page:
    """What one or more requests brought, ready to be committed together.

    records: by stream name.
    checkpoint: where to go on once this page is committed.
    end: on the last page only.
    """

    records: Mapping[str, list[Record]]
    checkpoint: Checkpoint
    requests: int = 0
    waited_seconds: float = 0.0
    end: End | None = None
