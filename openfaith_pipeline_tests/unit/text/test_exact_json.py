"""Numbers come out with the digits they went in with, and one text that cannot be stored spoils nothing else."""

import json
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfaith_pipeline.planning_center.envelopes import read_envelope
from openfaith_pipeline.text import exact_json

NUMBERS = [
    "12345678901234567890123",
    "-12345678901234567890123",
    "10.1234567890123456789",
    "0.30000000000000004",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "0.00000012345678901234567",
    "45.12345678901234",
]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("form", ['{"a":%s}', '{"a": [1, %s ,2]}', '{"a":\n%s\n}', '{"b":"1234567890123456","a":%s}'])
def test_every_digit_is_kept(form: str, number: str) -> None:
    written = exact_json.write(exact_json.read((form % number).encode()))
    assert number in written.replace("1.2345678901234567E-7", "")


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_any_decimal_keeps_its_value(number: Decimal) -> None:
    document = f'{{"a": {number:f}}}'
    read = json.loads(exact_json.write(exact_json.read(document)), parse_float=Decimal, parse_int=Decimal)
    assert read["a"] == number


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_it_reads_as_orjson_does(value: Any) -> None:
    encoded = orjson.dumps(value)
    assert exact_json.read(encoded) == value
    assert exact_json.read(encoded.decode()) == value


def test_half_a_surrogate_pair_is_read_and_written_so_that_postgres_takes_it() -> None:
    document = exact_json.read(rb'{"a": "Meet us at nine \ud83d", "b": 12345678901234567890123}')
    assert document["a"] == "Meet us at nine \ud83d"
    assert exact_json.write(document) == '{"a":"Meet us at nine \ufffd","b":12345678901234567890123}'


def test_a_byte_that_is_not_utf8_spoils_its_text_only() -> None:
    document = exact_json.read(b'{"a": "caf\xe9", "b": "caf\xc3\xa9"}')
    assert document["b"] == "caf\u00e9"
    assert json.loads(exact_json.write(document))["a"] == "caf\ufffd"


@pytest.mark.parametrize(
    "broken", [b"", b"{", b'{"a": NaN}', b'{"a": -Infinity}', b"[" * 100_000, b'{"a": 01}', b"\xff"]
)
def test_a_text_that_is_no_json_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        exact_json.read(broken)


@pytest.mark.parametrize("number", ["1e400", "1e-400", "1e-310"])
def test_a_number_beyond_a_double_keeps_its_value(number: str) -> None:
    read = exact_json.read(f'{{"a": {number}}}')["a"]
    assert Decimal(str(read)) == Decimal(number)


def test_a_number_that_postgres_refuses_is_written_as_a_text() -> None:
    assert exact_json.write(exact_json.read('{"a": 1e999999}')) == '{"a":"1E+999999"}'


def test_a_delivery_with_such_values_is_read_like_any_other() -> None:
    event = "people.v2.events.email.created"
    attributes = r'{"address": "\ud83d", "size": 12345678901234567890123}'
    payload = f'{{"data": {{"type": "Email", "id": "77", "attributes": {attributes}}}}}'
    envelope = {"data": [{"id": "event", "attributes": {"name": event, "payload": payload}}]}
    for body in (orjson.dumps(envelope), orjson.dumps(envelope).replace(rb"\\ud83d", rb"\ud83d")):
        [incoming] = read_envelope(body, "org", event)
        assert (incoming.event_id, incoming.stream, incoming.record_id) == ("event", "people.emails", "77")
        read = exact_json.read(incoming.payload)["data"]["attributes"]
        assert read["size"] == 12345678901234567890123
        assert not exact_json.is_storable(read["address"])
