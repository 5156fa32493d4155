"""How an OpenFaith entity is declared: its table, its tag, the stream it comes from and what feeds each column.

A declaration's SQL sees the raw row as `r`, the entity's present row as `e` (all null for a new one) and whatever its
enrichments join. Keys, links, edges, custom fields, deletes and the choice between insert and update are not declared:
they follow from the stream and are the same for every entity.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from psycopg import sql

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.transform.workspace import Workspace


@dataclass(frozen=True)
class Column:
    """What the source puts into one canonical column.

    attributes: the source attributes it takes up; they become no custom fields.
    value: SQL, null where the source has nothing that the column can hold.
    fallback: SQL used instead of null, for columns that may not be null.
    is_lossy: the column cannot hold every value the attributes may have; where `value` is null, attributes that are not
        become custom fields after all, so that nothing is lost.
    """

    attributes: tuple[str, ...]
    value: sql.Composable
    fallback: sql.Composable | None = None
    is_lossy: bool = False

    @property
    def expression(self) -> sql.Composable:
        if self.fallback is None:
            return self.value
        return sql.SQL("COALESCE({}, {})").format(self.value, self.fallback)


def taken(attribute: str) -> Column:
    """The attribute as it is."""
    return Column((attribute,), sql.Identifier("r", attribute))


def or_empty(attribute: str) -> Column:
    """The attribute, '' for null: losing a row over a missing city would be worse."""
    return Column((attribute,), sql.Identifier("r", attribute), fallback=sql.SQL("''"))


def or_false(attribute: str) -> Column:
    """The flag, false for null."""
    return Column((attribute,), sql.Identifier("r", attribute), fallback=sql.SQL("false"))


def day(attribute: str) -> Column:
    """The date as YYYY-MM-DD text, whatever the session's DateStyle."""
    return Column((attribute,), sql.SQL("to_char({}, 'YYYY-MM-DD')").format(sql.Identifier("r", attribute)))


@dataclass(frozen=True)
class Enrichment:
    """Something prepared for the whole org before an entity's rows are made, and joined to each raw row `r`.

    prepare: fills a temporary table.
    join: the LEFT JOIN that brings it in; at most one row for each `r`.
    items: SQL for further custom-field items of the row: JSON objects as text, separated by commas, or null.
    streams: the further streams it reads.
    """

    prepare: Callable[[Workspace], None]
    join: sql.Composable
    items: sql.Composable | None = None
    streams: tuple[Stream, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Entity:
    """One OpenFaith entity: `openfaith_<table>`, fed by one stream, one row for each raw record."""

    table: str
    tag: str
    stream: Stream
    columns: Mapping[str, Column]
    enrichments: tuple[Enrichment, ...] = ()

    def __post_init__(self) -> None:
        unknown = {name for column in self.columns.values() for name in column.attributes} - set(self.stream.attributes)
        if unknown:
            raise ValueError(f"{self.table} takes what {self.stream.name} does not have: {sorted(unknown)}")

    @property
    def id_prefix(self) -> str:
        """Prefix of the entity's TypeIDs: the lower-cased tag."""
        return self.tag.lower()

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """Every stream that can change a row of the table."""
        return (self.stream, *(stream for enrichment in self.enrichments for stream in enrichment.streams))

    @cached_property
    def created_at(self) -> sql.Composable:
        """When the record came to be: the source's word, else the best known; never null for an existing raw row."""
        known = [name for name in ("created_at", "updated_at") if name in self.stream.attributes]
        candidates = [sql.Identifier("r", name) for name in (*known, "_first_seen_at")]
        return sql.SQL("COALESCE({})").format(sql.SQL(", ").join(candidates))

    @cached_property
    def updated_at(self) -> sql.Composable:
        """When the source says the record last changed; null where it does not say."""
        has_it = "updated_at" in self.stream.attributes
        return sql.Identifier("r", "updated_at") if has_it else sql.SQL("NULL::timestamptz")

    @cached_property
    def unmapped_attributes(self) -> tuple[str, ...]:
        """Attributes without a column of their own, in the catalog's order."""
        mapped = {name for column in self.columns.values() for name in column.attributes}
        relationships = {f"{relationship}_id" for relationship in self.stream.belongs_to}
        ours = mapped | relationships | {"created_at", "updated_at"}
        return tuple(name for name in self.stream.attributes if name not in ours)
