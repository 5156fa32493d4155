"""Convert values to fields of Postgres' COPY text format, typed by their column."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from openfaith_pipeline.catalog.stream import ColumnType
from openfaith_pipeline.load.columns import ESCAPES, LONGEST_ID, NEEDS_ESCAPE
from openfaith_pipeline.text import exact_json
from openfaith_pipeline.text.exact_json import LARGEST_EXPONENT, digits_of

NULL: Final = r"\N"
_INT64 = range(-(2**63), 2**63)
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_UTC_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Unfit(ValueError):
    """A value does not fit its column; the message gives the reason, not the value."""


def encode_text(value: Any) -> str:
    if isinstance(value, str):
        if "\x00" in value:
            raise Unfit("holds a NUL character, which Postgres cannot store")
        if not value.isascii():
            _check_encodable(value)
        return value.translate(ESCAPES) if NEEDS_ESCAPE.search(value) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Decimal):
        return digits_of(value)
    raise Unfit(f"is {kind_of(value)}, not a text")


def encode_id(value: Any) -> str:
    if isinstance(value, str) and len(value) > LONGEST_ID:
        raise Unfit(f"is an id of more than {LONGEST_ID} characters")
    return encode_text(value)


def _check_encodable(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unfit("holds half of a surrogate pair, which is not a character") from None


def _integer(value: Any) -> str:
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, Decimal) and abs(value) < _INT64.stop and value == int(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit(f"is {kind_of(value)}, not a whole number of at most 64 bits")
    if value not in _INT64:
        raise Unfit("is a number of more than 64 bits")
    return str(value)


def _float(value: Any) -> str:
    """Format for a `numeric` column: every digit is kept."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, Decimal) and abs(value.adjusted()) <= LARGEST_EXPONENT:
        return digits_of(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    raise Unfit(f"is {kind_of(value)}, not a number that can be stored")


def _boolean(value: Any) -> str:
    if value is True:
        return "t"
    if value is False:
        return "f"
    raise Unfit(f"is {kind_of(value)}, not true or false")


def _date(value: Any) -> str:
    """A day; the source writes some as midnight of that day."""
    try:
        if isinstance(value, str) and len(day := value.removesuffix("T00:00:00Z")) == 10:
            return date.fromisoformat(day).isoformat()
    except ValueError:
        pass
    raise Unfit(f"is {kind_of(value)}, not a date as YYYY-MM-DD")


def _timestamp(value: Any) -> str:
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            if _UTC_SECONDS.fullmatch(value):
                return value
            return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC).isoformat()
        except (ValueError, OverflowError):
            pass
    raise Unfit(f"is {kind_of(value)}, not a timestamp in ISO 8601")


def encode_json(value: Any) -> str:
    return exact_json.write(value).translate(ESCAPES)


ENCODERS: Final[Mapping[ColumnType, Callable[[Any], str]]] = {
    ColumnType.TEXT: encode_text,
    ColumnType.INTEGER: _integer,
    ColumnType.FLOAT: _float,
    ColumnType.BOOLEAN: _boolean,
    ColumnType.DATE: _date,
    ColumnType.TIMESTAMP: _timestamp,
    ColumnType.JSON: encode_json,
}


def kind_of(value: Any) -> str:
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        Decimal: "a number",
        dict: "an object",
        list: "a list",
    }
    return names.get(type(value), "of an unknown kind")
