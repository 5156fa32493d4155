"""Chains, circles and contradictions among mergers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfaith_pipeline.catalog.mergers import survivors_of

IDS = st.integers(1, 8).map(str)


@pytest.mark.parametrize(
    ("mergers", "survivors"),
    [
        ([], {}),
        ([("1", "2")], {"2": "1"}),
        ([("1", "2"), ("3", "1")], {"2": "3", "1": "3"}),
        ([("3", "1"), ("1", "2")], {"2": "3", "1": "3"}),
        ([("1", str(removed)) for removed in range(2, 9)] + [("9", "1")], {str(n): "9" for n in range(1, 9)}),
        ([("1", "1")], {}),
        ([("1", "2"), ("2", "1")], {"2": "1"}),
        ([("1", "2"), ("2", "3"), ("3", "1")], {"2": "1", "3": "1"}),
        ([("1", "2"), ("3", "2")], {"2": "1"}),
        ([("2", "2"), ("1", "2")], {"2": "1"}),
    ],
    ids=["none", "one", "chain", "chain backwards", "seven, then on", "self", "circle", "long", "twice", "self first"],
)
def test_who_survives(mergers: list[tuple[str, str]], survivors: dict[str, str]) -> None:
    assert survivors_of(mergers) == survivors


@given(st.lists(st.tuples(IDS, IDS), max_size=30))
def test_the_survivor_was_not_merged_and_all_the_others_were(mergers: list[tuple[str, str]]) -> None:
    survivors = survivors_of(mergers)
    assert survivors.keys() <= {removed for _, removed in mergers}
    assert survivors.keys().isdisjoint(survivors.values())
    for gone, survivor in survivors.items():
        assert survivor in {survivors.get(kept, kept) for kept, removed in mergers if removed == gone}
