"""The parameters that Planning Center's lists take, as its public reference and recorded responses have them.

Planning Center ignores every other name, without an error. The simulator does the same by this data, so that a request
with a name that means nothing fails in a test. A sync does not read it: the declarations in `streams` say by which
cursor a list is followed, and a test compares both.

Where a recorded response differs from the reference, the recorded names are here, in their order. A stream that the
reference lacks is absent.
"""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.planning_center.abilities import (
    api,
    calendar,
    check_ins,
    giving,
    groups,
    people,
    publishing,
    registrations,
    services,
    webhooks,
)
from openfaith_pipeline.planning_center.abilities.ability import Abilities

__all__ = ["ABILITIES", "Abilities"]

ABILITIES: Final[Mapping[str, Abilities]] = {
    f"{module.__name__.rpartition('.')[2]}.{table}": abilities
    for module in (
        people, groups, giving, calendar, check_ins, services, registrations, publishing, webhooks, api,
    )
    for table, abilities in module.TABLES.items()
}  # fmt: skip
"""By the name of the stream."""
