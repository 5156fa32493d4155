"""Read a walk to its end into staging, and again while doubts remain."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.catalog.completeness import MOVED, READINGS, Doubt
from openfaith_pipeline.catalog.reading import Doors, WalkSource, fetches_for
from openfaith_pipeline.catalog.walk import Page, Parent, Route, Walk
from openfaith_pipeline.load.sessions import Session
from openfaith_pipeline.load.staging import commit_page, discard_reading
from openfaith_pipeline.sources import reader_of
from openfaith_pipeline.sync.deletion_proof import find_doubtful
from openfaith_pipeline.sync.readahead import read_ahead
from openfaith_pipeline.sync.results import Progress


@dataclass(frozen=True)
class WalkReader:
    """Reads walks for one attempt. parents: those that a child route visits."""

    pool: AsyncConnectionPool[Any]
    doors: Doors
    parents: Callable[[Route, str | None], AsyncIterator[Parent]]
    progress: Progress
    must_be_exact: bool

    async def read_until_sure(self, walk: Walk, session: Session) -> Mapping[str, Doubt]:
        """Read to the end; while there are doubts, read again a few times. Returns the remaining doubts by stream.

        Listings under parents have already been reread singly, so their doubts stay. So does a doubt that comes back
        unchanged, unless something moved each time.
        """
        before: Mapping[str, Doubt] = {}
        while True:
            if session.end is None:
                await self._read(walk, session)
            doubts = await find_doubtful(self.pool, session, must_be_exact=self.must_be_exact)
            has_moved = session.end is not None and any(ended.doubt == MOVED for ended in session.end.routes)
            is_same = doubts == before and not has_moved
            if is_same or not any(doubt.may_pass for doubt in doubts.values()):
                return doubts
            if session.readings >= READINGS or not walk.is_listed_at_top:
                return doubts
            before = doubts
            async with self.pool.connection() as connection:
                await discard_reading(connection, session)

    async def _read(self, walk: Walk, session: Session) -> None:
        source = WalkSource(fetches_for(self.doors, walk), self.parents, session.starts)
        read = reader_of(walk.streams[0]).read_pages(walk, source, session.state)
        async with aclosing(read_ahead(read)) as pages:
            async for page in pages:
                async with self.pool.connection() as connection:
                    staged = await commit_page(connection, session, page)
                self._report(session, page, staged)

    def _report(self, session: Session, page: Page, staged: Mapping[str, int]) -> None:
        for name in session.names:
            is_first = name == session.names[0]
            self.progress.page(
                name,
                fetched=staged.get(name, 0),
                requests=page.requests if is_first else 0,
                waited_seconds=page.waited_seconds if is_first else 0.0,
            )
