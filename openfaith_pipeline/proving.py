"""Deletions proven: a row is gone only when a listing proven complete lacks it and asking for it finds nothing."""

from collections.abc import Mapping
from typing import Any

from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.catalog import Stream
from openfaith_pipeline.catalog.stream import placeholders_of
from openfaith_pipeline.errors import PathNotFound
from openfaith_pipeline.extract.completeness import Doubt, find_doubt
from openfaith_pipeline.extract.pages import Fetch, Tally
from openfaith_pipeline.load.deletions import Verdict, account, missing_rows
from openfaith_pipeline.load.sessions import Session

READINGS = 3
"""How often a listing is read at most, for one that is proven complete."""

CONFIRMED_AT_MOST = 25
"""Missing rows asked for one by one; of more, this many are, evenly spread."""

LARGEST_SHARE = 0.3
LARGEST_NUMBER = 50
"""A deletion larger than both this share of a stream's rows and this number is not believed."""


async def doubt_about(pool: AsyncConnectionPool[Any], session: Session, *, must_be_exact: bool) -> Doubt | None:
    """Why the walk that was read to its end is not proven complete; None too of one that does not show everything."""
    if session.end is None or not _shows_everything(session):
        return None
    listed, is_broken = {}, False
    async with pool.connection() as connection:
        for stream in session.walk.streams:
            count = await account(connection, session, stream)
            listed[stream.name] = count.staged + count.broken
            is_broken = is_broken or count.broken > 0
    doubt = find_doubt(session.walk, session.end, listed, must_be_exact=must_be_exact)
    if doubt is None and must_be_exact and is_broken:
        return Doubt("records too broken to be kept were listed, so nothing was taken for deleted", may_pass=False)
    return doubt


async def prove_deletions(
    pool: AsyncConnectionPool[Any], fetch: Fetch, session: Session, *, is_wanted: bool
) -> Verdict:
    """Judge a finished walk. Deletions are looked for only when `is_wanted`, and only where the proof holds."""
    doubt = await doubt_about(pool, session, must_be_exact=is_wanted)
    if doubt or not is_wanted or not _shows_everything(session):
        return Verdict(doubt=doubt.reason if doubt else None)
    asking = _Asking(fetch)
    deletions: dict[str, list[str]] = {}
    for stream in session.walk.streams:
        async with pool.connection() as connection:
            missing = await missing_rows(connection, session, stream)
            staged = (await account(connection, session, stream)).staged
        objection = await _objection(asking, stream, missing, staged)
        if objection:
            return Verdict(doubt=objection, requests=asking.tally.requests)
        deletions[stream.name] = list(missing)
    return Verdict(deletions, is_proven=True, requests=asking.tally.requests)


def _shows_everything(session: Session) -> bool:
    walk = session.walk
    return walk.is_whole and set(walk.leads) <= set(walk.streams)


async def _objection(
    asking: "_Asking", stream: Stream, missing: Mapping[str, Mapping[str, str]], staged: int
) -> str | None:
    """Why the missing rows are not to be taken for deleted."""
    if missing and not staged and stream.product.hides_what_is_forbidden:
        return f"{stream.name} was answered with silence, which may mean that it may not be read"
    if len(missing) > max(LARGEST_NUMBER, LARGEST_SHARE * (staged + len(missing))):
        share = f"{len(missing)} of {staged + len(missing)} rows of {stream.name}"
        return f"{share} are gone from the source; so large a deletion is held back"
    if not await asking.are_gone(stream, missing):
        return f"records of {stream.name} that the listing lacked are still there"
    return None


class _Asking:
    """Asks for records one by one, and counts what that takes."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self.tally = Tally()

    async def are_gone(self, stream: Stream, missing: Mapping[str, Mapping[str, str]]) -> bool:
        """Ask for each, or an even sample of many; one whose path is not known rests on the listing's proof alone."""
        step = max(1, len(missing) // CONFIRMED_AT_MOST)
        for identifier in list(missing)[::step][:CONFIRMED_AT_MOST]:
            path = _path_of(stream, missing[identifier])
            if path is not None and not stream.is_singleton and await self._is_there(f"{path}/{identifier}"):
                return False
        return True

    async def _is_there(self, path: str) -> bool:
        try:
            self.tally.add(await self._fetch(path, {}))
        except PathNotFound:
            self.tally.requests += 1
            return False
        return True


def _path_of(stream: Stream, parents: Mapping[str, str]) -> str | None:
    known = (path for path in stream.paths() if parents.keys() >= set(placeholders_of(path)))
    path = next(known, None)
    return path and path.format_map({f"{name}_id": identifier for name, identifier in parents.items()})
