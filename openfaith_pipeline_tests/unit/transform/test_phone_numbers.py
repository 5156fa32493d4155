"""E.164 for numbers that come without it."""

import pytest

from openfaith_pipeline.transform.phone_numbers import format_e164


@pytest.mark.parametrize(
    ("number", "country", "e164"),
    [
        ("(415) 555-2671", "US", "+14155552671"),
        ("(415) 555-2671", "us", "+14155552671"),
        ("030 1234567", "DE", "+49301234567"),
        ("+44 20 7946 0958", None, "+442079460958"),
        ("+44 20 7946 0958", "XX", "+442079460958"),
        ("1-800-FLOWERS", "US", "+18003569377"),
        ("(415) 555-2671", None, None),
        ("(415) 555-2671", "", None),
        ("(415) 555-2671", "XX", None),
        ("12", "US", None),
        ("call me", "US", None),
        ("", "US", None),
        ("9" * 300, "US", None),
    ],
)
def test_number_and_country_give_e164_or_nothing(number: str, country: str | None, e164: str | None) -> None:
    assert format_e164(number, country) == e164
