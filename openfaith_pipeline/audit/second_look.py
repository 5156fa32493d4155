"""A second look at a difference, by a request for the record itself.

The source and the tables may change while they are compared, so only a difference that is there twice counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from openfaith_pipeline.catalog.paths import fill_paths, record_path
from openfaith_pipeline.catalog.reading import Fetch
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Record, id_of
from openfaith_pipeline.errors import OpenFaithError, SourceUnreachable, UnavailableError
from openfaith_pipeline.sources import reader_of


class Outcome(Enum):
    """GONE: no path has the record. UNKNOWN: no path to it is known, or it failed. WITHHELD: refused."""

    GONE = "gone"
    UNKNOWN = "unknown"
    WITHHELD = "withheld"


@dataclass(frozen=True)
class SecondLook:
    """Requests single records."""

    fetch: Fetch

    async def at(
        self, stream: Stream, identifier: str, parents: Mapping[str, str], found_under: Mapping[str, str]
    ) -> Record | Outcome:
        """The record as it is now.

        parents: ids for the record's path. found_under: the parents that a listing showed it under, which the record
        itself need not name.
        """
        paths = fill_paths(stream.record_listings, parents)
        if not paths or stream.is_pushed:
            return Outcome.UNKNOWN
        for listing in paths:
            path = listing if stream.is_singleton else record_path(listing, identifier)
            try:
                brought = await reader_of(stream).read_record(self.fetch, stream, path)
            except UnavailableError:
                return Outcome.WITHHELD
            except SourceUnreachable:
                raise
            except OpenFaithError:
                return Outcome.UNKNOWN
            for record in brought.records.get(stream.name, ()) if brought else ():
                if id_of(record.resource) == identifier:
                    return record._replace(parents={**found_under, **record.parents})
        return Outcome.GONE
