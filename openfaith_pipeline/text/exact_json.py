"""JSON parsing that keeps every digit of numbers, and texts that Postgres cannot store.

orjson is ten times as fast as the standard library, but makes a double of every number with a fraction or more than 64
bits. So a document is first searched for numbers that a double cannot represent; only if it may have some, or if orjson
refuses it, the standard library parses it. Such numbers become Decimals, and half a surrogate pair (or a byte that is
not UTF-8) stays in its text: the loader sets that one value aside.
"""

import json
import re
from decimal import Decimal
from typing import Any, Final

import orjson

_INT64: Final = range(-(2**63), 2**63)
LARGEST_EXPONENT: Final = 400
"""Of a number that is written as one: Postgres refuses larger ones, and no source of ours has any."""

# One pass of C over the bytes: digits and points, signs, and the letter of an exponent; anything else is a blank.
_SHAPES: Final = bytes(
    48 if chr(byte) in "0123456789." else 101 if chr(byte) in "eE" else 45 if chr(byte) in "+-" else 32
    for byte in range(256)
)
# A double keeps any 15 digits, and 16 characters contain at least those. orjson refuses numbers too large for one.
_HINTS: Final = (b"0" * 16, b"0e-000")
_BEFORE_A_NUMBER: Final = frozenset(b":[, \t\r\n")

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def read(content: bytes | str) -> Any:
    """Parse a document. Raises ValueError for invalid JSON."""
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    if not _may_lose_digits(raw):
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError:
            pass
    try:
        return _DECODER.decode(raw.decode("utf-8", "surrogateescape"))
    except RecursionError:
        raise ValueError("JSON nested too deep") from None


def write(value: Any) -> str:
    """JSON that Postgres' jsonb accepts: a NUL or half a surrogate pair, which it refuses, becomes U+FFFD."""
    try:
        text = orjson.dumps(value, default=_number).decode()
    except TypeError:  # half a surrogate pair, or an int of more than 64 bits
        return orjson.dumps(_mended(value), default=_number).decode()
    return orjson.dumps(_mended(value), default=_number).decode() if "\\u0000" in text else text


def is_storable(value: Any) -> bool:
    """Whether Postgres can store every text in it as it is."""
    if isinstance(value, str):
        return _UNSTORABLE.search(value) is None
    if isinstance(value, dict):
        return all(map(is_storable, [*value, *value.values()]))
    return all(map(is_storable, value)) if isinstance(value, list) else True


def storable(text: str) -> str:
    """The text with characters that Postgres cannot store replaced by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def digits_of(number: Decimal) -> str:
    """All digits of the number, without an exponent unless it is a very large one."""
    return f"{number:f}" if abs(number.adjusted()) <= LARGEST_EXPONENT else str(number)


def _may_lose_digits(raw: bytes) -> bool:
    shapes = raw.translate(_SHAPES)
    for hint in _HINTS:
        place = shapes.find(hint)
        while place >= 0:
            if _is_in_number(raw, shapes, place):
                return True
            place = shapes.find(hint, place + len(hint))
    return False


def _is_in_number(raw: bytes, shapes: bytes, place: int) -> bool:
    """Whether the digits around this place may be a number's and not a part of a text."""
    start = place
    while start > 0 and place - start < LARGEST_EXPONENT and shapes[start - 1] == shapes[place]:
        start -= 1
    start -= start > 0 and raw[start - 1] == ord("-")
    return start == 0 or raw[start - 1] in _BEFORE_A_NUMBER


def _read_int(text: str) -> int | Decimal:
    if len(text) <= 20 and (number := int(text)) in _INT64:
        return number
    return Decimal(text)


def _read_float(text: str) -> float | Decimal:
    number = float(text)
    return number if repr(number) == text else Decimal(text)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_int=_read_int, parse_float=_read_float, parse_constant=_refuse)


def _number(value: Any) -> Any:
    if not isinstance(value, Decimal):
        raise TypeError
    is_small = abs(value.adjusted()) <= LARGEST_EXPONENT
    return orjson.Fragment(digits_of(value)) if is_small else str(value)


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and value not in _INT64:
        return Decimal(value)
    return value
