"""A lagging replica: for a while it lacks some of the new records although it has newer ones."""

from collections.abc import Sequence
from itertools import takewhile

from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.tables import Table
from openfaith_pipeline.simulator.values import stamp


def arrived(church: Church, table: Table, scope: Sequence[int] | None, now: float) -> Sequence[int] | None:
    """Ids in `scope` (all when None) that `Traps.late_records` lets a listing show at `now`."""
    late = late_in(church, table, now)
    return [id for id in (table.ids if scope is None else scope) if id not in late] if late else scope


def late_in(church: Church, table: Table, now: float) -> set[int]:
    """Ids of the records that are not there yet."""
    seconds = church.traps.late_records.get(table.shape.stream.name)
    if seconds is None:
        return set()
    since = stamp(int(now - seconds))
    # New records have the highest ids, and their times ascend with the ids.
    newest = takewhile(lambda id: _made_at(table, id) > since, reversed(table.ids))
    return {id for id in newest if id % 2}


def _made_at(table: Table, id: int) -> str:
    return str(table.record(id).attributes.get("created_at") or "")
