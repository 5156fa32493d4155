"""Requests for single records, to see whether they are gone."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from psycopg import AsyncConnection

from openfaith_pipeline.catalog.paths import fill_paths, record_path
from openfaith_pipeline.catalog.reading import OWN_FAULTS, Fetch, Tally, is_own_fault
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import query_of
from openfaith_pipeline.sources import reader_of
from openfaith_pipeline.sync.deleted_lists import DeletedLists

CONFIRMED_AT_MOST: Final = 25
"""Missing rows requested singly; of more, this many, evenly spread."""

Connecting = Callable[[], AbstractAsyncContextManager[AsyncConnection[Any]]]
"""Lends a connection. No transaction stays open during requests to Planning Center."""


class Asking:
    """Requests records, and counts the requests. obstacle: why the last one that failed did."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self.tally = Tally()
        self.obstacle: str | None = None
        self._deleted = DeletedLists(fetch, self.tally)

    async def are_gone(
        self, stream: Stream, missing: Mapping[str, Mapping[str, str]], at_most: int = CONFIRMED_AT_MOST
    ) -> bool:
        """Request each record, or an even sample of many; where none can be, the listing's proof alone decides.

        One that is still there, or cannot be read, is not gone, unless the source lists it as deleted.
        """
        step = max(1, len(missing) // at_most)
        for identifier in list(missing)[::step][:at_most]:
            parents = missing[identifier]
            for path in fill_paths(stream.record_listings, parents):
                is_gone = await self.is_gone_from(stream, path, identifier)
                if not is_gone and not await self._deleted.name(stream, identifier, parents):
                    return False
        return True

    async def is_gone_from(self, stream: Stream, path: str, identifier: str) -> bool:
        """Whether the listing at this path certainly no longer has the record.

        It is not certain of one that may not be read, or for which every request fails: some have answered 500.
        """
        try:
            return await self._at(stream, path, identifier) is None
        except OWN_FAULTS as error:
            if not is_own_fault(error):
                raise
            self.tally.requests += 1
            self.obstacle = str(error)
            return False

    async def for_record(self, stream: Stream, identifier: str, parents: Mapping[str, str]) -> Any:
        """The current record, None if it does not exist or cannot be requested."""
        for path in fill_paths(stream.record_listings, parents):
            found = await self._at(stream, path, identifier)
            if found is not None:
                return found
        return None

    async def for_document(self, path: str, params: Mapping[str, str]) -> Any:
        """The data of the document at the path."""
        return self.tally.add(await self._fetch(path, params)).data

    async def _at(self, stream: Stream, path: str, identifier: str) -> Any:
        asked = path if stream.is_singleton else record_path(path, identifier)
        find = reader_of(stream).find_record
        found = await find(self._fetch, self.tally, asked, query_of(stream), identifier=identifier)
        return found.data if found else None
