"""The primary one of an owner's records: a person has one primary e-mail address, phone number and address."""

from typing import Final

from openfaith_pipeline.simulator.records import Record
from openfaith_pipeline.simulator.tables import Table

PRIMARY: Final = "primary"


def demote_others(table: Table, record: Record) -> None:
    """Make a primary record the only one of its owner.

    Measured of e-mail addresses: `updated_at` of the one that was primary before stays. No event of it is known.
    """
    owner = table.shape.owner_of(record.relations)
    if owner is None or record.attributes.get(PRIMARY) is not True:
        return
    for id in list(table.children(owner[0].name, owner[1])):
        other = table.record(id)
        if id != record.id and other.attributes.get(PRIMARY):
            other.attributes[PRIMARY] = False
            table.put(other)
