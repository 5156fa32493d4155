"""Value rules read backwards: the source attributes that make a value come back as it is."""

import pytest

from openfaith_pipeline.canonical.rules import (
    Choice,
    Constant,
    Day,
    FirstOf,
    Integer32,
    Joined,
    Matching,
    Money,
    NotWritable,
    Phone,
    Presence,
    Reference,
    Rule,
    Take,
    is_writable,
    source_values,
    taken,
)
from openfaith_pipeline.sources import CANONICAL

GENDER = Choice("gender", {"male": "male", "m": "male", "female": "female"})


@pytest.mark.parametrize(
    ("rule", "value", "said"),
    [
        (Take("first_name"), "Linnea", {"first_name": "Linnea"}),
        (Take("primary", default=False), True, {"primary": True}),
        (FirstOf("nickname", "name"), "Linn", {"nickname": "Linn"}),
        (GENDER, "male", {"gender": "male"}),
        (GENDER, None, {"gender": None}),
        (Money("amount_cents"), 1250, {"amount_cents": 1250}),
        (Integer32("sequence", default=0), 3, {"sequence": 3}),
        (Day("birthdate"), "1990-02-03", {"birthdate": "1990-02-03"}),
        (Matching("country", "[A-Za-z]{2}", is_upper=True), "NZ", {"country": "NZ"}),
        (Phone("e164", "number", "country_code"), "+14155552671", {"number": "+14155552671"}),
        (Constant("pco_list"), "pco_list", {}),
        (Reference("category"), "folder_1", {"category": "folder_1"}),
    ],
)
def test_source_values(rule: Rule, value: object, said: dict[str, object]) -> None:
    assert source_values(rule, value) == said


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (GENDER, "other"),
        (Matching("country", "[A-Za-z]{2}"), "New Zealand"),
        (Constant("pco_list"), "mine"),
        (Joined("street", "city"), "Main St Springfield"),
        (Presence("archived_at", "inactive", "active"), "inactive"),
    ],
)
def test_values_that_cannot_be_written_are_refused(rule: Rule, value: object) -> None:
    with pytest.raises(NotWritable, match=str(value)):
        source_values(rule, value)


def test_every_column_that_can_be_written_is_named_by_its_attributes() -> None:
    for entity in CANONICAL.entities.values():
        for name, rule in entity.columns.items():
            if is_writable(rule) and not isinstance(rule, Choice | Matching | Reference):
                assert source_values(rule, "x").keys() <= entity.stream.attributes.keys(), name


def test_taken_names_columns_after_attributes() -> None:
    assert taken("first_name", "status") == {"firstName": Take("first_name"), "status": Take("status")}
