"""The address of a field of an entity: the name of its column, or `customFields.<name>` for one item of these.

Edits, policies and conflicts are of a field, whichever of the two it is. The SQL functions `sync.field_value` and
`sync.put_fields` read and write it in a row.
"""

from typing import Final, LiteralString

CUSTOM_FIELDS: Final[LiteralString] = "customFields"
ITEMS: Final[LiteralString] = f"{CUSTOM_FIELDS}."
"""Beginning of the addresses of custom fields."""


def item_address(name: str) -> str:
    """The address of the custom field with this name, such as `<adapter>_nickname`."""
    return ITEMS + name


def is_item(address: str) -> bool:
    """Whether the field is an item of the custom fields."""
    return address.startswith(ITEMS)


def is_item_of(address: str, adapter: str) -> bool:
    """Whether the field is a custom field of this source."""
    return address.startswith(f"{ITEMS}{adapter}_")


def column_of(address: str) -> str:
    """The column that holds the field."""
    return CUSTOM_FIELDS if is_item(address) else address


def label_of(address: str) -> str:
    """The field in the words of a list for people."""
    return f"custom field {address.removeprefix(ITEMS)}" if is_item(address) else address
