"""Completeness: whether a finished walk has shown all records of each of its streams."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from openfaith_pipeline.catalog.placeholders import placeholders_of
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import End, Walk

_NO_DELETIONS = "so no record was marked deleted"


MOVED: Final = "records were added, removed or moved while it was read"
"""The only doubt that reading again may settle at once."""

READINGS: Final = 3
"""How often a listing is read at most, at top level or of one parent, until it accounts for its total."""


class Doubt(NamedTuple):
    """Why a stream is not proven complete. may_pass: whether reading it again may settle that."""

    reason: str
    may_pass: bool


_LACKING = Doubt(f"some records named by others did not come with them, {_NO_DELETIONS}", may_pass=False)


class Listed(NamedTuple):
    """Number of distinct records of a stream in a walk.

    broken: those among them that could not be kept. rows: highest number of occurrences, if a record came more than
    once.
    """

    records: int
    broken: int = 0
    rows: int = 0


def find_doubts(walk: Walk, end: End, listed: Mapping[str, Listed], *, must_be_exact: bool) -> dict[str, Doubt]:
    """Reasons why a walk read to its end does not prove a stream complete, by stream.

    A doubt about a listing applies to all streams included in it. A doubt about an included stream is its own.
    listed: by stream.
    must_be_exact: whether deletions depend on it; otherwise additional records or movement lose nothing and are no
    doubt.
    """
    doubts: dict[str, Doubt] = {}
    for lead in walk.leads:
        shown = listed[lead.name]
        # A record that two top-level listings show counts twice.
        count = max(shown.records, shown.rows) if _has_hidden(walk, lead) else shown.records
        doubt = _doubt_of(walk, end, lead, count, must_be_exact=must_be_exact)
        if doubt:
            fed = {stream for route in walk.routes if route.lead is lead for stream in route.streams}
            for stream in walk.streams:
                if stream in fed:
                    doubts.setdefault(stream.name, doubt)
    if must_be_exact:
        broken = Doubt(f"the listing had records too broken to be kept, {_NO_DELETIONS}", may_pass=False)
        for stream in walk.streams:
            if listed[stream.name].broken:
                doubts.setdefault(stream.name, broken)
        lacking = {name for route in end.routes for name in route.lacking}
        for stream in walk.streams:
            if stream.name in lacking and not _can_be_asked_for(stream):
                doubts.setdefault(stream.name, _LACKING)
    return doubts


def _can_be_asked_for(stream: Stream) -> bool:
    """Whether a row has all ids in the path to its record, so that the record can be requested before it is deleted."""
    return any(all(f"{name}_id" in stream.columns for name in placeholders_of(path)) for path in stream.record_listings)


def _has_hidden(walk: Walk, lead: Stream) -> bool:
    return any(route.lead is lead and route.is_of_hidden for route in walk.routes)


def _doubt_of(walk: Walk, end: End, lead: Stream, records: int, *, must_be_exact: bool) -> Doubt | None:
    """Doubt about the listings of one lead. Records of them that could not be read are reported elsewhere."""
    routes, ends = [route for route in walk.routes if route.lead is lead], walk.ends_of(lead, end)
    at_top = [ended for route, ended in zip(routes, ends, strict=True) if not route.placeholders]
    if any(ended.left_out for ended in at_top):
        return None
    totals = [ended.total for ended in at_top if ended.total is not None]
    counts = f"the source counts {sum(totals)} records of {lead.name} and listed {records}"
    lacking = next((ended.shortage for ended in ends if ended.shortage), None)
    if lacking is None and totals and records < sum(totals):
        lacking = counts
    if lacking or not must_be_exact:
        return Doubt(lacking, may_pass=True) if lacking else None
    doubt = next((ended.doubt for ended in ends if ended.doubt), None)
    # With several listings at different depths, the top one's records cannot be separated from the others'.
    if doubt is None and at_top and len(totals) == len(ends) and records != sum(totals):
        doubt = counts
    if doubt:
        return Doubt(f"{doubt}; {_NO_DELETIONS}", may_pass=True)
    if len(totals) < len(at_top):
        return Doubt(f"the source gave no total for the records of {lead.name}", may_pass=False)
    return None
