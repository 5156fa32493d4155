"""Judge silent listings: whether a listing without records is empty, or hides its records.

A product that removes rows instead of refusing answers for a hidden record as for one that is gone, so one 404 proves
nothing by itself. docs/decisions/0017-silence.md has the rules, and why.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Final

from openfaith_pipeline.catalog.paths import fill_path
from openfaith_pipeline.catalog.reading import OWN_FAULTS
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import End, LeftOut, Route
from openfaith_pipeline.errors import SourceUnreachable, UnavailableError
from openfaith_pipeline.load.deletions import missing_rows, parents_of_rows
from openfaith_pipeline.load.left_out import noted_left_out
from openfaith_pipeline.load.sessions import Session
from openfaith_pipeline.load.silence import Silence, SilentParent, find_silent, find_silent_parents, with_rows
from openfaith_pipeline.sources import STREAMS, streams_of
from openfaith_pipeline.sync.asking import CONFIRMED_AT_MOST, Asking, Connecting

_BELIEVED: Final = 1
"""Rows of a stream that may all be gone at once; a type of which more are silent together is one that is hidden."""


async def judge_silence(connecting: Connecting, asking: Asking, session: Session, *, is_wanted: bool) -> dict[str, str]:
    """By stream, why a silent stream that is not proven to be empty counts as withheld.

    Parents whose silence does not prove that they have nothing are left out of the session's end, as withheld.
    is_wanted: whether deletions are looked for. If not, nothing is requested, and a stream noted as silent stays so.
    """
    async with connecting() as connection:
        silent = await find_silent(connection, session)
    withheld = {
        name: silence.reason
        for name, silence in silent.items()
        if not is_wanted or not await _is_last_gone(connecting, asking, session, name, silence)
    }
    if session.end is None:
        return withheld
    ends = []
    for route, ended in zip(session.walk.routes, session.end.routes, strict=True):
        found: list[LeftOut] = []
        if _may_hide(session, route) and route.lead.name not in silent:
            already = [str(each.parent) for each in ended.left_out]
            found, doubt = await _judge_parents(connecting, asking, session, route, already, is_wanted=is_wanted)
            withheld |= {route.lead.name: doubt} if doubt else {}
        ends.append(replace(ended, left_out=(*ended.left_out, *found)))
    session.end = End(tuple(ends))
    return withheld


def _may_hide(session: Session, route: Route) -> bool:
    names = route.placeholders
    return (
        route.lead.product.hides_what_is_forbidden
        and route.lead.name in session.ids
        and bool(names)
        and route.lead.belongs_to.get(names[-1]) is not None
    )


async def _is_last_gone(connecting: Connecting, asking: Asking, session: Session, name: str, silence: Silence) -> bool:
    """Whether the stream has become empty: requests for its last rows find nothing, and no other stream is silent."""
    stream = next(each for each in session.walk.streams if each.name == name)
    if silence.rows > _BELIEVED or stream.is_listed_only:
        return False
    async with connecting() as connection:
        missing = await missing_rows(connection, session, stream)
        others = await with_rows(connection, session.org_id, _listed_beside(stream))
    shown = [await _is_answered(_shows_records(asking, other)) for other in others]
    return bool(shown) and all(shown) and await _is_answered(asking.are_gone(stream, missing))


def _listed_beside(stream: Stream) -> list[Stream]:
    """The product's other streams that one request shows."""
    return [
        each
        for each in streams_of(stream.product)
        if each is not stream and not (each.placeholders or each.is_singleton or each.is_pushed or each.is_unconfirmed)
    ]


async def _shows_records(asking: Asking, stream: Stream) -> bool:
    return bool(await asking.for_document(stream.path, {**stream.asks_all, "per_page": "1"}))


async def _is_answered(question: Awaitable[bool]) -> bool:
    """The answer; no, if there is none: a request that fails proves nothing, and must not fail the reading."""
    try:
        return await question
    except (UnavailableError, *OWN_FAULTS) as error:
        if isinstance(error, SourceUnreachable):
            raise
        return False


async def _judge_parents(
    connecting: Connecting, asking: Asking, session: Session, route: Route, already: Sequence[str], *, is_wanted: bool
) -> tuple[list[LeftOut], str | None]:
    """The parents whose silence proves nothing; or the reason, if that holds for the whole stream."""
    async with connecting() as connection:
        noted = {} if is_wanted else await noted_left_out(connection, session, route)
        if not is_wanted and not noted:
            return [], None
        parents = await find_silent_parents(connection, session, route, already)
    if not is_wanted:
        still = [each for each in parents if each.id in noted]
        return [LeftOut(_place(route, each), noted[each.id], is_withheld=True, parent=each.id) for each in still], None
    if not route.is_whole:
        return [], None
    uncounted = sum(each.counted is None for each in parents)
    shown = parents[0].shown if parents else 0
    if uncounted > shown:
        return [], (
            f"{uncounted} listings of {route.lead.name} that had records show none and {shown} show some, which may"
            " mean that they may not be read; the rows that are here stay as they are"
        )
    doubts = [(each, await _doubt_of(connecting, asking, session, route, each)) for each in parents]
    return [LeftOut(_place(route, each), why, is_withheld=True, parent=each.id) for each, why in doubts if why], None


async def _doubt_of(
    connecting: Connecting, asking: Asking, session: Session, route: Route, parent: SilentParent
) -> str | None:
    """Why the parent's silence does not prove that its records are gone; None if it does."""
    if parent.counted and not await _is_parent_gone(asking, route, parent):
        return f"it shows no record and its parent counts {parent.counted}; the {len(parent.ids)} rows here stay"
    if route.lead.is_listed_only:
        is_gone = await _is_parent_gone(asking, route, parent)
        told = f"it shows no record, and none can be requested by itself; the {len(parent.ids)} rows here stay"
        return None if is_gone else told
    step = max(1, len(parent.ids) // CONFIRMED_AT_MOST)
    ids = parent.ids[::step][:CONFIRMED_AT_MOST]
    async with connecting() as connection:
        above = await parents_of_rows(connection, session.org_id, route.lead, ids)
    for identifier in ids:
        path = fill_path(route.path, {**above.get(identifier, {}), route.placeholders[-1]: parent.id})
        if not await _is_answered(asking.is_gone_from(route.lead, path, identifier)):
            return f"it shows no record, and one that is here is not gone; the {len(parent.ids)} rows here stay"
    return None


async def _is_parent_gone(asking: Asking, route: Route, parent: SilentParent) -> bool:
    """A plan leaves rows as they were, so a parent that it would delete was not visited."""
    above = STREAMS[route.lead.belongs_to[route.placeholders[-1]] or ""]
    return not above.placeholders and await _is_answered(asking.is_gone_from(above, above.path, parent.id))


def _place(route: Route, parent: SilentParent) -> str:
    return fill_path(route.path, {**dict.fromkeys(route.placeholders, "..."), route.placeholders[-1]: parent.id})
