"""Differences from the catalog are noted as drift."""

from openfaith_pipeline.load.columns import LONGEST_ID
from openfaith_pipeline.load.drift import MOST_NEW, Sightings
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.text.printable import plain_or_hash

TABS = STREAMS["people.tabs"]
ODD = ("x" * 3200, "anna@example.org", "\x1b[2J", "a\nb", "\u202eolleh", "half \ud800", "")


def test_an_attribute_of_any_name_is_noted_by_one_that_can_be_indexed_and_shown() -> None:
    noted = [name for name, _ in Sightings(1, {*TABS.attributes, "short", *ODD}).drift(TABS)]
    assert noted == sorted(["short", *map(plain_or_hash, ODD)])
    assert max(map(len, noted)) <= LONGEST_ID
    assert all(name.isascii() and name.isprintable() and "@" not in name for name in noted)


def test_endlessly_many_new_attributes_are_not_all_noted() -> None:
    seen = {*TABS.attributes, *(f"new_{number}" for number in range(10 * MOST_NEW))}
    assert len(Sightings(1, seen).drift(TABS)) == MOST_NEW
