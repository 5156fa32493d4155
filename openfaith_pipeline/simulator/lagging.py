"""A lagging replica: for a while its listings lack some of the new records although they show newer ones."""

from collections.abc import Sequence
from itertools import takewhile

from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.tables import Table
from openfaith_pipeline.simulator.values import stamp


def arrived(church: Church, table: Table, scope: Sequence[int] | None, now: float) -> Sequence[int] | None:
    """Ids in `scope` (all when None) that `Traps.late_records` lets a listing show at `now`."""
    seconds = church.traps.late_records.get(table.shape.stream.name)
    if seconds is None:
        return scope
    since = stamp(int(now - seconds))
    # New records have the highest ids, and their times ascend with the ids.
    newest = takewhile(lambda id: _made_at(table, id) > since, reversed(table.ids))
    late = {id for id in newest if id % 2}
    return [id for id in (table.ids if scope is None else scope) if id not in late] if late else scope


def _made_at(table: Table, id: int) -> str:
    return str(table.record(id).attributes.get("created_at") or "")
