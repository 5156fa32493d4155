"""The declaration of a stream, and what follows from it without any further naming."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Final


class ColumnType(StrEnum):
    """How an attribute is kept. Planning Center's `integer` can exceed 32 bits, so INTEGER is a bigint."""

    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    JSON = "json"


TEXT: Final = ColumnType.TEXT
INTEGER: Final = ColumnType.INTEGER
FLOAT: Final = ColumnType.FLOAT
BOOLEAN: Final = ColumnType.BOOLEAN
DATE: Final = ColumnType.DATE
TIMESTAMP: Final = ColumnType.TIMESTAMP
JSON: Final = ColumnType.JSON
TIMESTAMPS: Final[Mapping[str, ColumnType]] = {"created_at": TIMESTAMP, "updated_at": TIMESTAMP}


class Strategy(StrEnum):
    """How a stream's records are found; chosen from what the API can do, never by hand."""

    INCREMENTAL = "incremental"
    """Filter and order by the cursor: keyset windows from the watermark."""
    ORDERED = "ordered"
    """Order by the cursor only: newest first until the watermark."""
    APPEND = "append"
    """Records never change: only those created since the watermark."""
    FULL = "full"
    """No cursor: the whole listing, compared by content hash."""
    SINGLETON = "singleton"
    """One record at the path itself."""
    INCLUDED = "included"
    """Read from the parent's pages through `include=`."""
    CHILD = "child"
    """One listing for each parent record."""


class Product(StrEnum):
    """A Planning Center product as we name it; `path_prefix` and `api_version` are Planning Center's."""

    PEOPLE = "people"
    GROUPS = "groups"
    GIVING = "giving"
    CALENDAR = "calendar"
    CHECK_INS = "check_ins"
    SERVICES = "services"
    REGISTRATIONS = "registrations"
    PUBLISHING = "publishing"
    WEBHOOKS = "webhooks"
    API = "api"

    @property
    def path_prefix(self) -> str:
        """First path segment and version, such as `/check-ins/v2`."""
        return f"/{self.value.replace('_', '-')}/v2"

    @property
    def api_version(self) -> str:
        """Value of `X-PCO-API-Version`: what the declarations of this product were written against."""
        return API_VERSIONS[self]


# The newest version of each product whose shape is known from public definitions or recorded responses.
API_VERSIONS: Mapping[Product, str] = {
    Product.PEOPLE: "2026-06-04",
    Product.GROUPS: "2023-07-10",
    Product.GIVING: "2019-10-18",
    Product.CALENDAR: "2022-07-07",
    Product.CHECK_INS: "2025-05-28",
    Product.SERVICES: "2018-11-01",
    Product.REGISTRATIONS: "2025-05-01",
    Product.PUBLISHING: "2024-03-25",
    Product.WEBHOOKS: "2022-10-20",
    Product.API: "2025-09-30",
}


@dataclass(frozen=True)
class Population:
    """How many records a typical church has: `amount` for each record of stream `per`, or in all when `per` is None.

    The simulator fills churches by it and `doctor` estimates the requests of a first sync from it.
    """

    amount: float
    per: str | None = None


_PLACEHOLDER = re.compile(r"\{(\w+)_id\}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Stream:
    """One source type of Planning Center, synced into one raw table and shown as one asset.

    attributes: JSON:API attribute -> column type; only those a list returns without `fields[...]`.
    belongs_to: to-one relationship -> name of the stream it points to, or None when it is polymorphic or not synced
        (a polymorphic one also gets a `<relationship>_type` column).
    cursor: the attribute a sync follows; `updated_at` for changes, `created_at` for records that never change.
    is_cursor_filterable: whether `where[<cursor>][gte]` works; when not, the listing is only ordered by it.
    include: name to ask for on the parent's pages; the parent is the last placeholder of `path`.
    population: how many records a typical church has.
    """

    product: Product
    type: str
    path: str
    attributes: Mapping[str, ColumnType]
    belongs_to: Mapping[str, str | None] = field(default_factory=dict)
    cursor: str | None = None
    is_cursor_filterable: bool = True
    include: str | None = None
    is_singleton: bool = False
    table: str = ""
    population: Population = Population(5)
    description: str = ""

    def __post_init__(self) -> None:
        if not self.path.startswith(self.product.path_prefix):
            raise ValueError(f"{self.type}: path {self.path} is outside {self.product.path_prefix}")
        if self.cursor and self.cursor not in self.attributes:
            raise ValueError(f"{self.type}: cursor {self.cursor} is not a declared attribute")
        for placeholder in self.placeholders:
            if self.belongs_to.get(placeholder) is None:
                raise ValueError(f"{self.type}: {{{placeholder}_id}} needs belongs_to[{placeholder!r}]")
        if self.include and not self.placeholders:
            raise ValueError(f"{self.type}: include needs a path under the parent")

    @cached_property
    def short_name(self) -> str:
        """Name of the table and the asset within the product: `emails`."""
        return self.table or self.path.rstrip("/").rsplit("/", 1)[-1]

    @cached_property
    def name(self) -> str:
        """The stream's one name: `people.emails`."""
        return f"{self.product.value}.{self.short_name}"

    @cached_property
    def schema(self) -> str:
        """Database schema and asset group: `pco_people`."""
        return f"pco_{self.product.value}"

    @cached_property
    def placeholders(self) -> tuple[str, ...]:
        """Relationships named by the path, outermost first: `("household",)`."""
        return tuple(_PLACEHOLDER.findall(self.path))

    @cached_property
    def parent(self) -> str | None:
        """Name of the stream whose records the path is walked under, None at top level."""
        return self.belongs_to[self.placeholders[-1]] if self.placeholders else None

    @cached_property
    def strategy(self) -> Strategy:
        if self.include:
            return Strategy.INCLUDED
        if self.placeholders:
            return Strategy.CHILD
        if self.is_singleton:
            return Strategy.SINGLETON
        if self.cursor == "created_at":
            return Strategy.APPEND
        if self.cursor:
            return Strategy.INCREMENTAL if self.is_cursor_filterable else Strategy.ORDERED
        return Strategy.FULL

    @cached_property
    def columns(self) -> Mapping[str, ColumnType]:
        """All columns a record is typed into besides `id`, in table order.

        A relationship and an attribute of the same column (`person_to_keep` and `person_to_keep_id`) are one column;
        the relationship gives its value and the attribute stands in where there is none.
        """
        relationships: dict[str, ColumnType] = {}
        for relationship, target in self.belongs_to.items():
            relationships[f"{relationship}_id"] = ColumnType.TEXT
            if target is None:
                relationships[f"{relationship}_type"] = ColumnType.TEXT
        attributes = {name: kind for name, kind in self.attributes.items() if name not in relationships}
        return {**relationships, **attributes}

    @cached_property
    def reference_url(self) -> str:
        """The public page that documents the type."""
        app = self.product.value.replace("_", "-")
        vertex = re.sub(r"(?<!^)(?=[A-Z])", "_", self.type).lower()
        return (
            "https://api.planningcenteronline.com/docs/apps/"
            f"{app}/versions/{self.product.api_version}/vertices/{vertex}"
        )
