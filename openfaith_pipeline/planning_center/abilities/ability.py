"""The names that a list takes in each of its parameters."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Abilities:
    """Names separated by spaces, as a list has them in its `meta`.

    query: for `where[...]` (`can_query_by`). order: for `order` (`can_order_by`). filter: for `filter` (`can_filter`),
    in the list at the stream's own paths. include: for `include` (`can_include`).
    """

    query: str = ""
    order: str = ""
    filter: str = ""
    include: str = ""
