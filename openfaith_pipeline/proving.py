"""Deletions proven: a row is gone only when a listing proven complete lacks it and asking for it finds nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.catalog import Stream
from openfaith_pipeline.errors import PathNotFound
from openfaith_pipeline.extract.pages import Fetch
from openfaith_pipeline.load.deletions import account, missing_rows
from openfaith_pipeline.load.sessions import Session

CONFIRMED_AT_MOST = 25
"""Missing rows asked for one by one; of more, this many are, evenly spread."""

LARGEST_SHARE = 0.3
LARGEST_NUMBER = 50
"""A deletion larger than both this share of a stream's rows and this number is not believed."""


@dataclass(frozen=True)
class Verdict:
    """deletions: by stream name, the ids proven to be gone. doubt: why the walk could not be proven complete."""

    deletions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    doubt: str | None = None


async def prove_deletions(
    pool: AsyncConnectionPool[Any], fetch: Fetch, session: Session, *, is_wanted: bool
) -> Verdict:
    """Judge a finished walk. Deletions are looked for only when `is_wanted`, and only where the proof holds."""
    walk = session.walk
    if not walk.is_whole or walk.lead not in walk.streams:
        return Verdict()
    doubt = await _doubt(pool, session, must_be_steady=is_wanted)
    if doubt or not is_wanted:
        return Verdict(doubt=doubt)
    deletions: dict[str, Sequence[str]] = {}
    for stream in walk.streams:
        async with pool.connection() as connection:
            missing = await missing_rows(connection, session, stream)
            staged = (await account(connection, session, stream)).staged
        if len(missing) > max(LARGEST_NUMBER, LARGEST_SHARE * (staged + len(missing))):
            share = f"{len(missing)} of {staged + len(missing)} rows of {stream.name}"
            return Verdict(doubt=f"{share} are gone from the source; so large a deletion is held back")
        if not await _are_gone(fetch, stream, missing):
            return Verdict(doubt=f"records of {stream.name} that the listing lacked are still there")
        deletions[stream.name] = list(missing)
    return Verdict(deletions)


async def _doubt(pool: AsyncConnectionPool[Any], session: Session, *, must_be_steady: bool) -> str | None:
    end, walk = session.end, session.walk
    if end is None:
        return "the listing was not read to its end"
    async with pool.connection() as connection:
        counts = {stream.name: await account(connection, session, stream) for stream in walk.streams}
    lead = counts[walk.lead.name]
    if end.total is not None and lead.staged + lead.broken < end.total:
        return f"the source counts {end.total} records of {walk.lead.name} and listed {lead.staged + lead.broken}"
    if not must_be_steady:
        return None
    if not end.is_steady or end.total is None or lead.staged + lead.broken != end.total:
        return "the listing changed while it was read, so nothing was taken for deleted; the next one will tell"
    if any(count.broken for count in counts.values()):
        return "records too broken to have an id were listed, so nothing was taken for deleted"
    return None


async def _are_gone(fetch: Fetch, stream: Stream, missing: Mapping[str, Mapping[str, str]]) -> bool:
    step = max(1, len(missing) // CONFIRMED_AT_MOST)
    for identifier in list(missing)[::step][:CONFIRMED_AT_MOST]:
        parents = {f"{name}_id": parent for name, parent in missing[identifier].items()}
        try:
            await fetch(f"{stream.path.format_map(parents)}/{identifier}", {})
        except PathNotFound:
            continue
        return False
    return True
