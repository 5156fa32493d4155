"""Proof of deletions: a row is gone only if a complete listing lacks it and a request for it finds nothing."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.catalog.completeness import Doubt, Listed, find_doubts
from openfaith_pipeline.catalog.paths import fill_paths
from openfaith_pipeline.catalog.reading import OWN_FAULTS, Fetch, is_own_fault
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Record
from openfaith_pipeline.load.deletions import Verdict, account, missing_rows, too_new_to_miss
from openfaith_pipeline.load.left_out import Spared, describe_left_out
from openfaith_pipeline.load.sessions import Session
from openfaith_pipeline.load.tombstones import children_of, gone_with, live_under, returning
from openfaith_pipeline.review.delete_guards import guard_of
from openfaith_pipeline.sync.asking import Asking, Connecting
from openfaith_pipeline.sync.silence_proof import judge_silence

RETURNING_AT_MOST = 100
"""Records deleted together with one that is back that are requested to see whether they are back too."""


async def find_doubtful(pool: AsyncConnectionPool[Any], session: Session, *, must_be_exact: bool) -> dict[str, Doubt]:
    """Reasons why a walk read to its end does not prove a stream complete, by stream.

    Empty for a walk that does not show everything.
    """
    if session.end is None or not _shows_everything(session):
        return {}
    listed: dict[str, Listed] = {}
    async with pool.connection() as connection:
        for stream in session.walk.streams:
            count = await account(connection, session, stream)
            listed[stream.name] = Listed(count.staged + count.broken, count.broken, count.rows + count.broken)
    return find_doubts(session.walk, session.end, listed, must_be_exact=must_be_exact)


async def prove_deletions(
    pool: AsyncConnectionPool[Any], fetch: Fetch, session: Session, doubts: Mapping[str, Doubt], *, is_wanted: bool
) -> Verdict:
    """Judge a finished walk. Deletions are looked for only if `is_wanted`, and only if the proof holds.

    doubts: from `find_doubtful`.
    """
    asking = Asking(fetch)
    back, unsettled = await _find_returning(pool.connection, asking, session)
    is_judged = is_wanted and _shows_everything(session)
    silent = await judge_silence(pool.connection, asking, session, is_wanted=is_judged)
    reasons = {name: doubt.reason for name, doubt in doubts.items()}
    verdict = Verdict(
        returning=back,
        unsettled=unsettled,
        doubts=reasons,
        withheld={**silent, **session.walk.refusals},
        failing=describe_left_out(session, is_withheld=False),
        refused=describe_left_out(session, is_withheld=True),
    )
    if is_judged:
        verdict = await _look_for_deletions(pool.connection, asking, session, verdict)
    return replace(verdict, requests=asking.tally.requests)


async def _look_for_deletions(connecting: Connecting, asking: Asking, session: Session, verdict: Verdict) -> Verdict:
    """Detect deletions in each stream without objections."""
    deletions: dict[str, list[str]] = {}
    under: dict[str, list[str]] = {}
    held: dict[str, list[str]] = {}
    objections: dict[str, str] = {}
    doubts = dict(verdict.doubts)
    proven: list[str] = []
    spared = Spared(session)
    for stream in session.walk.streams:
        if not verdict.is_judged(stream.name) or spared.is_all(stream):
            continue
        async with connecting() as connection:
            missing = spared.without(stream, await missing_rows(connection, session, stream))
            too_new = await too_new_to_miss(connection, session.org_id, stream, list(missing))
            missing = {identifier: parents for identifier, parents in missing.items() if identifier not in too_new}
            staged = (await account(connection, session, stream)).staged
            guard = await guard_of(connection, session.org_id, stream.name)
        if doubt := await _doubt_of(asking, stream, missing):
            doubts[stream.name] = doubt
            continue
        if stream.name not in verdict.failing:
            proven.append(stream.name)
        rows = staged + len(missing)
        if guard.holds(len(missing), rows):
            held[stream.name] = list(missing)
            objections[stream.name] = (
                f"{len(missing)} of {rows} rows of {stream.name} are gone from the source; so large a deletion is held"
                f" until it is approved: openfaith-pipeline deletes list {session.org_id}"
            )
            continue
        deletions[stream.name] = list(missing)
        for name, ids in (await find_under(connecting, asking, session.org_id, stream, missing)).items():
            under.setdefault(name, []).extend(ids)
    verdict = replace(verdict, deletions=deletions, under=under, held=held, objections=objections)
    return replace(verdict, doubts=doubts, proven=proven)


async def _doubt_of(asking: Asking, stream: Stream, missing: Mapping[str, Mapping[str, str]]) -> str | None:
    """Why the missing rows are not proven to be gone; None if they are."""
    asking.obstacle = None
    if await asking.are_gone(stream, missing):
        return None
    reason = f"records of {stream.name} that the listing lacked are still there, or may not be read"
    return f"{reason}: {asking.obstacle}" if asking.obstacle else reason


async def find_whole(pool: AsyncConnectionPool[Any], session: Session, verdict: Verdict) -> list[str]:
    """The streams that a finished walk has shown whole, as exactly as deletions would need it, lacking no row here."""
    if not _shows_everything(session):
        return []
    doubts = await find_doubtful(pool, session, must_be_exact=True)
    sound = [s for s in session.walk.streams if s.name not in doubts and verdict.status(s.name) == "succeeded"]
    async with pool.connection() as connection:
        return [stream.name for stream in sound if not await missing_rows(connection, session, stream)]


async def find_under(
    connecting: Connecting, asking: Asking, org_id: str, stream: Stream, ids: Collection[str]
) -> dict[str, list[str]]:
    """Children that are gone with these records of the stream: ids by stream name.

    A merge moves children elsewhere, so they are requested too, and those not proven to be gone are left alone.
    """
    found: dict[str, list[str]] = {}
    for child in children_of(stream) if ids else ():
        async with connecting() as connection:
            rows = await live_under(connection, org_id, child, ids)
        if not rows or not await asking.are_gone(child.stream, rows):
            continue
        found.setdefault(child.stream.name, []).extend(rows)
        for name, below in (await find_under(connecting, asking, org_id, child.stream, rows)).items():
            found.setdefault(name, []).extend(below)
    return found


async def _find_returning(
    connecting: Connecting, asking: Asking, session: Session
) -> tuple[dict[str, list[Record]], list[str]]:
    """Children that come back with their parents, as found by requests; and streams where there may be more."""
    found: dict[str, list[Record]] = {}
    unsettled: list[str] = []
    with_children = [stream for stream in session.walk.streams if children_of(stream)]
    if not with_children:
        return found, unsettled
    async with connecting() as connection:
        queue = [(stream, await returning(connection, session, stream)) for stream in with_children]
    while queue:
        stream, moments = queue.pop()
        for child in children_of(stream) if moments else ():
            if child.stream in session.walk.streams:
                continue
            async with connecting() as connection:
                rows, gone_at = await gone_with(connection, session.org_id, child, moments)
            for identifier, parents in rows.items():
                if asking.tally.requests >= RETURNING_AT_MOST or not fill_paths(child.stream.record_listings, parents):
                    unsettled.append(child.stream.name)
                    break
                try:
                    record = await asking.for_record(child.stream, identifier, parents)
                except OWN_FAULTS as error:
                    if not is_own_fault(error):
                        raise
                    unsettled.append(child.stream.name)
                    continue
                if record is not None:
                    found.setdefault(child.stream.name, []).append(Record(record, parents))
            queue.append((child.stream, gone_at))
    return found, unsettled


def _shows_everything(session: Session) -> bool:
    walk = session.walk
    return walk.is_whole and set(walk.leads) <= set(walk.streams)
