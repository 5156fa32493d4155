"""Whether a finished walk has shown everything there is."""

from collections.abc import Mapping
from typing import NamedTuple

from openfaith_pipeline.walk import End, Walk


class Doubt(NamedTuple):
    """Why a walk is not proven complete. may_pass: whether reading it again may dispel that."""

    reason: str
    may_pass: bool


def find_doubt(walk: Walk, end: End, listed: Mapping[str, int], *, must_be_exact: bool) -> Doubt | None:
    """Judge a walk that was read to its end.

    listed: by lead, how many distinct records it showed, those too broken to be kept among them.
    must_be_exact: whether deletions are to be concluded from it; otherwise more records than were counted, or
        movement, lose nothing and leave no doubt.
    """
    totals = {lead.name: end.totals.get(lead.name) for lead in walk.leads}
    for name, total in totals.items():
        if total is not None and listed[name] < total:
            return Doubt(f"the source counts {total} records of {name} and listed {listed[name]}", may_pass=True)
    if not must_be_exact:
        return None
    if end.doubt:
        return Doubt(f"{end.doubt}; so nothing was taken for deleted", may_pass=True)
    for name, total in totals.items():
        if total is None:
            return Doubt(f"the source did not say how many records of {name} there are", may_pass=False)
        if listed[name] != total:
            counts = f"the source counts {total} records of {name} and listed {listed[name]}"
            return Doubt(f"{counts}; so nothing was taken for deleted", may_pass=True)
    return None
