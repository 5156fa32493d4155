"""Deletions proven: a row is gone only when a listing proven complete lacks it and asking for it finds nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.catalog import Stream
from openfaith_pipeline.catalog.stream import placeholders_of
from openfaith_pipeline.errors import PathNotFound
from openfaith_pipeline.extract.pages import Fetch
from openfaith_pipeline.load.deletions import Verdict, account, missing_rows
from openfaith_pipeline.load.sessions import Session

CONFIRMED_AT_MOST = 25
"""Missing rows asked for one by one; of more, this many are, evenly spread."""

LARGEST_SHARE = 0.3
LARGEST_NUMBER = 50
"""A deletion larger than both this share of a stream's rows and this number is not believed."""


async def prove_deletions(
    pool: AsyncConnectionPool[Any], fetch: Fetch, session: Session, *, is_wanted: bool
) -> Verdict:
    """Judge a finished walk. Deletions are looked for only when `is_wanted`, and only where the proof holds."""
    walk = session.walk
    if not walk.is_whole or not set(walk.leads) <= set(walk.streams):
        return Verdict()
    doubt = await _doubt(pool, session, must_be_steady=is_wanted)
    if doubt or not is_wanted:
        return Verdict(doubt=doubt)
    deletions: dict[str, Sequence[str]] = {}
    for stream in walk.streams:
        async with pool.connection() as connection:
            missing = await missing_rows(connection, session, stream)
            staged = (await account(connection, session, stream)).staged
        if missing and not staged and stream.product.hides_what_is_forbidden:
            return Verdict(doubt=f"{stream.name} was answered with silence, which may mean that it may not be read")
        if len(missing) > max(LARGEST_NUMBER, LARGEST_SHARE * (staged + len(missing))):
            share = f"{len(missing)} of {staged + len(missing)} rows of {stream.name}"
            return Verdict(doubt=f"{share} are gone from the source; so large a deletion is held back")
        if not await _are_gone(fetch, stream, missing):
            return Verdict(doubt=f"records of {stream.name} that the listing lacked are still there")
        deletions[stream.name] = list(missing)
    return Verdict(deletions, is_proven=True)


async def _doubt(pool: AsyncConnectionPool[Any], session: Session, *, must_be_steady: bool) -> str | None:
    end, walk = session.end, session.walk
    if end is None:
        return "the listing was not read to its end"
    async with pool.connection() as connection:
        counts = {stream.name: await account(connection, session, stream) for stream in walk.streams}
    for lead in walk.leads:
        listed, total = counts[lead.name].staged + counts[lead.name].broken, end.totals.get(lead.name)
        if total is not None and listed < total:
            return f"the source counts {total} records of {lead.name} and listed {listed}"
        if must_be_steady and (not end.is_steady or listed != total):
            return "the listing changed while it was read, so nothing was taken for deleted; the next one will tell"
    if not must_be_steady:
        return None
    if any(count.broken for count in counts.values()):
        return "records too broken to have an id were listed, so nothing was taken for deleted"
    return None


async def _are_gone(fetch: Fetch, stream: Stream, missing: Mapping[str, Mapping[str, str]]) -> bool:
    """Ask for each, or an even sample of many; one whose path is not known rests on the listing's proof alone."""
    step = max(1, len(missing) // CONFIRMED_AT_MOST)
    for identifier in list(missing)[::step][:CONFIRMED_AT_MOST]:
        path = _path_of(stream, missing[identifier])
        if path is None or stream.is_singleton:
            continue
        try:
            await fetch(f"{path}/{identifier}", {})
        except PathNotFound:
            continue
        return False
    return True


def _path_of(stream: Stream, parents: Mapping[str, str]) -> str | None:
    known = (path for path in stream.paths() if parents.keys() >= set(placeholders_of(path)))
    path = next(known, None)
    return path and path.format_map({f"{name}_id": identifier for name, identifier in parents.items()})
