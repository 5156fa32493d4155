"""A lagging replica: for a while it lacks some of the new records although it has newer ones."""

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from openfaith_pipeline.simulator.tables import Table
from openfaith_pipeline.simulator.values import stamp

if TYPE_CHECKING:
    from openfaith_pipeline.simulator.church import Church

NEWEST: Final = 3
"""Number of a stream's newest records that lag in documents of their parents."""


def arrived(church: "Church", table: Table, scope: Sequence[int] | None) -> Sequence[int] | None:
    """Ids in `scope` (all when None) of the records that are there."""
    late = late_in(church, table)
    return without(late, table.ids if scope is None else scope) if late else scope


def without(late: set[int], ids: Sequence[int]) -> Sequence[int]:
    return [id for id in ids if id not in late] if late else ids


def late_in(church: "Church", table: Table) -> set[int]:
    """Ids of the records that `Traps.late_records` does not show yet."""
    seconds = church.traps.late_records.get(table.shape.stream.name)
    if seconds is None:
        return set()
    since = stamp(int(church.clock.now() - seconds))
    # New records have the highest ids, and their times ascend with the ids.
    newest = takewhile(lambda id: _made_at(table, id) > since, reversed(table.ids))
    return {id for id in newest if id % 2}


def unnamed_in(church: "Church", table: Table) -> set[int]:
    """Ids of the records that their parents do not name. Measured of a household joined: not for minutes."""
    lags = table.shape.stream.name in church.traps.late_linkage
    return late_in(church, table) | set(table.ids[-NEWEST:] if lags else ())


def _made_at(table: Table, id: int) -> str:
    return str(table.record(id).attributes.get("created_at") or "")
