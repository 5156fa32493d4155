"""A second witness for deletions: the lists that a source keeps of its deleted records.

A deleted record may still be there for a request by its id, and so may the records below it. Then only such a list
proves that it is gone. No answer of one has been recorded, so it is trusted only about records that a complete listing
lacks, and not at all if it also names records that the listing shows: a source may ignore a filter without a word.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

from openfaith_pipeline.catalog.paths import fill_path
from openfaith_pipeline.catalog.placeholders import placeholders_of
from openfaith_pipeline.catalog.reading import OWN_FAULTS, Fetch, Tally
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.errors import SourceUnreachable, UnavailableError
from openfaith_pipeline.sources import STREAMS, reader_of

MOST_PAGES: Final = 100
"""Pages of a list of deleted records that are read."""


@dataclass
class DeletedLists:
    """The lists read so far, by path. One that is refused or fails names nothing."""

    fetch: Fetch
    tally: Tally
    _ids: dict[str, set[str]] = field(default_factory=dict)

    async def name(self, stream: Stream, identifier: str, parents: Mapping[str, str]) -> bool:
        """Whether one of the lists names the record, or one of the parents in its path."""
        for each, its_id in ((stream, identifier), *_above(stream, parents)):
            if not each.deleted_under or set(placeholders_of(each.path)) - parents.keys():
                continue
            path = fill_path(each.deleted_under, parents)
            if path not in self._ids:
                self._ids[path] = await self._read(each, path, fill_path(each.path, parents))
            if its_id in self._ids[path]:
                return True
        return False

    async def _read(self, stream: Stream, path: str, listing: str) -> set[str]:
        path, _, query = path.partition("?")
        list_ids = reader_of(stream).list_ids
        try:
            deleted = await list_ids(self.fetch, self.tally, path, dict(parse_qsl(query)), pages=MOST_PAGES)
            shown = await list_ids(self.fetch, self.tally, listing, stream.asks_all, pages=1) if deleted else set()
        except (UnavailableError, *OWN_FAULTS) as error:
            if isinstance(error, SourceUnreachable):
                raise
            self.tally.requests += 1
            return set()
        return set() if deleted & shown else deleted


def _above(stream: Stream, parents: Mapping[str, str]) -> Iterator[tuple[Stream, str]]:
    """The parents in the record's paths, with their ids."""
    for name, identifier in parents.items():
        above = STREAMS.get(stream.stream_behind(name) or "")
        if above:
            yield above, identifier
