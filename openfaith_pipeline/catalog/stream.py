"""The declaration of a stream, and the names and properties derived from it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Final, NamedTuple

from openfaith_pipeline.catalog.placeholders import placeholders_of
from openfaith_pipeline.catalog.soundness import problems_of
from openfaith_pipeline.catalog.source import Product
from openfaith_pipeline.catalog.words import Entries


class ColumnType(StrEnum):
    """Type of an attribute's column. A source's integers can exceed 32 bits, so INTEGER is a bigint."""

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
    """Method of finding a stream's records; derived from the API's abilities, never chosen by hand."""

    INCREMENTAL = "incremental"
    """Filter and order by the cursor: keyset windows from the watermark."""
    FILTERED = "filtered"
    """Filter by the cursor only: changes since the watermark, in the listing's own order."""
    ORDERED = "ordered"
    """Order by the cursor only: newest first until the watermark."""
    APPEND = "append"
    """Records never change: only those created since the watermark."""
    FULL = "full"
    """No cursor: the whole listing, compared by content hash."""
    SINGLETON = "singleton"
    """A single record at the path."""
    INCLUDED = "included"
    """Read from the parent's pages at no request of its own."""
    CHILD = "child"
    """One listing for each parent record, each read by the strategy `Stream.listing`."""
    PUSHED = "pushed"
    """No listing: the records come by webhook events only."""


@dataclass(frozen=True)
class Population:
    """Number of records in a typical church: `amount` for each record of stream `per`, or in all when `per` is None.

    The simulator fills churches by it and `doctor` estimates the requests of a first sync from it.
    """

    amount: float
    per: str | None = None


class Merging(NamedTuple):
    """The form of a stream's mergers: the stream they merge, and the columns with the kept and removed id."""

    target: str
    kept: str
    removed: str


_INNER_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake(type_name: str) -> str:
    """`FieldDatum` -> `field_datum`, `RSVP` -> `rsvp`."""
    return _INNER_CAPITAL.sub("_", type_name).lower()


@dataclass(frozen=True, kw_only=True, eq=False)
class Stream:
    """One type of a source, synced into one raw table and shown as one asset.

    Where it is read:
    path: its listing; a placeholder `{household_id}` makes it one listing for each household.
    also_under: further paths, under other parents, with records that `path` does not list, or that both list.
    listed_by: name of a link table -> placeholder, where several records of one kind may list the same record: the link
        table has all of them, and the column of the placeholder the first.
    counted_by: relationship to a parent that lists the records -> attribute of that parent with their number.
    is_unconfirmed: the public reference names `path` without showing it, so it may be absent.
    fallback_path: read instead, together with `also_under`, where an unconfirmed `path` is absent. No cursor is known
        to work there.
    carried_as: relationship of the parent, the last placeholder of `path`, by which its pages bring the records along;
        on the pages of the parents in `also_under` it is the last segment of their path.
    comes_with: {stream: relationship}: the pages of that stream can bring the record along instead, which saves its own
        listing where that stream is read anyway.
    asks_all: query parameters without which its listings omit archived or deleted records.
    hidden_under: paths of this stream with a query: further listings that show only the records omitted by the others.
    deleted_under: a path with a query: a list of the deleted records, which no listing shows.
        It is a witness for deletions where a deleted record can still be requested; nothing of it is stored.
    is_singleton: `path` holds one record, not a list; under a parent, at most one for each.
    is_listed_only: no path shows a record by itself. A request for one is answered 404, which says nothing of it.
    is_pushed: no path lists the records, they come by webhook events only; `path` is where a record would be.

    Contents of a record:
    attributes: attribute of the source -> column type.
    only_asked: attributes that the API shows only when `fields[...]` names them.
    withheld: attributes that are secrets: neither requested nor stored, not even in `_extra` or quarantine.
    belongs_to: to-one relationship -> name of the stream it points to, or None when it is polymorphic or not synced
        (a polymorphic one also gets a `<relationship>_type` column).
    unshown: relationships of `belongs_to` that the record itself never shows: they are known only from the path it is
        read under, or from the linkage of the parent that includes it.
    has_many: to-many relationship -> name of the stream it points to, or None when that is not synced; each is a link
        table. Those that the other side's record names anyway are omitted.
    seldom: relationships that are in the reference but in no recorded response: stored where they occur.
    asks_for: relationships of either kind that the API shows only when they are requested.
    walked_under: placeholder -> stream, for parents in a path that the record does not belong to: several may lead to
        the same record, so they are not columns.
    aliases: types by which relationships name this type (`PrimaryCampus` is a Campus).
    event_noun: the type's name in webhook events, if it is not the type's name in snake case.

    How changes are found:
    cursor: the attribute a sync follows; `updated_at` for changes, `created_at` for records that never change. For a
        stream under parents, it is followed in the listing of each parent. For a pushed stream, it decides which of two
        events is newer.
    is_cursor_filterable: whether `where[<cursor>][gte]` works; when not, the listing is only ordered by it.
    is_cursor_orderable: whether `order=<cursor>` works; when not, the listing is only filtered by it.
    touches: relationships whose target's `updated_at` moves with a change of this record, where that is known.

    population: number of records in a typical church.

    Words, where the product's dictionary has none or others:
    description: the records in a few words, without a period. words: description of a column and its mark, by name.
    """

    product: Product
    type: str
    path: str
    attributes: Mapping[str, ColumnType]
    belongs_to: Mapping[str, str | None] = field(default_factory=dict)
    unshown: tuple[str, ...] = ()
    cursor: str | None = None
    is_cursor_filterable: bool = True
    is_cursor_orderable: bool = True
    carried_as: str | None = None
    comes_with: Mapping[str, str] = field(default_factory=dict)
    asks_all: Mapping[str, str] = field(default_factory=dict)
    hidden_under: tuple[str, ...] = ()
    deleted_under: str = ""
    is_singleton: bool = False
    is_listed_only: bool = False
    is_pushed: bool = False
    also_under: tuple[str, ...] = ()
    listed_by: Mapping[str, str] = field(default_factory=dict)
    counted_by: Mapping[str, str] = field(default_factory=dict)
    is_unconfirmed: bool = False
    fallback_path: str | None = None
    has_many: Mapping[str, str | None] = field(default_factory=dict)
    seldom: tuple[str, ...] = ()
    asks_for: tuple[str, ...] = ()
    walked_under: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    event_noun: str = ""
    touches: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    only_asked: tuple[str, ...] = ()
    table: str = ""
    population: Population = Population(5)
    description: str = ""
    words: Entries = field(default_factory=dict)

    def __post_init__(self) -> None:
        for problem in problems_of(self):
            raise ValueError(f"{self.type}: {problem}")

    @cached_property
    def all_paths(self) -> tuple[str, ...]:
        """All paths of its records, `path` first."""
        return (self.path, *self.also_under, *((self.fallback_path,) if self.fallback_path else ()))

    @cached_property
    def record_listings(self) -> tuple[str, ...]:
        """The paths below which a record can be requested by itself."""
        return () if self.is_listed_only else self.all_paths

    @cached_property
    def short_name(self) -> str:
        """Name of the table and the asset within the product: `emails`."""
        return self.table or self.path.rstrip("/").rsplit("/", 1)[-1]

    @cached_property
    def name(self) -> str:
        """Name of the stream: `people.emails`."""
        return f"{self.product.value}.{self.short_name}"

    @property
    def adapter(self) -> str:
        """The source that it is read from."""
        return self.product.source.adapter

    @cached_property
    def schema(self) -> str:
        """Database schema and asset group: `<adapter>_people`."""
        return self.product.schema

    @cached_property
    def raw_table(self) -> str:
        """The raw table with its schema: `<adapter>_people.emails`."""
        return f"{self.schema}.{self.short_name}"

    @cached_property
    def placeholders(self) -> tuple[str, ...]:
        """Relationships in the path, outermost first: `("household",)`."""
        return placeholders_of(self.path)

    @cached_property
    def parent(self) -> str | None:
        """The stream of the parents in `path`, None at top level."""
        return self.parent_of(self.path)

    @cached_property
    def parents(self) -> tuple[str, ...]:
        """The streams of the parents in all paths."""
        above = (self.parent_of(path) for path in (*self.paths(), *self.paths(is_path_absent=True)))
        return tuple(dict.fromkeys(name for name in above if name))

    def parent_of(self, path: str) -> str | None:
        """The stream of the parents in one of the paths, None at top level."""
        names = placeholders_of(path)
        return self.stream_behind(names[-1]) if names else None

    def paths(self, *, is_path_absent: bool = False) -> tuple[str, ...]:
        """The paths that together list every record.

        is_path_absent: an unconfirmed `path` turned out to be absent.
        """
        if self.is_pushed:
            return ()
        if not self.is_unconfirmed:
            return (self.path, *self.also_under)
        if not is_path_absent:
            return (self.path,)
        return (self.fallback_path, *self.also_under) if self.fallback_path else ()

    def stream_behind(self, placeholder: str) -> str | None:
        """The stream of the parents that a placeholder of a path stands for."""
        return self.belongs_to.get(placeholder) or self.walked_under.get(placeholder)

    @cached_property
    def touches_parent(self) -> bool:
        """Whether a change of the record also moves its parent's cursor, so that only changed parents need a visit."""
        return bool(self.placeholders) and self.placeholders[-1] in self.touches

    @cached_property
    def merging(self) -> Merging | None:
        """Derived from a relationship `<record>_to_remove` beside a `<record>_to_keep`."""
        for relationship, target in self.belongs_to.items():
            kept = f"{relationship.removesuffix('_to_remove')}_to_keep"
            if target and relationship.endswith("_to_remove") and self.belongs_to.get(kept) == target:
                return Merging(target, f"{kept}_id", f"{relationship}_id")
        return None

    @cached_property
    def companion(self) -> str | None:
        """The stream whose pages can include this one (`comes_with`)."""
        return next(iter(self.comes_with), None)

    @cached_property
    def companion_relationships(self) -> tuple[str, ...]:
        """Relationships to the record it is included with, polymorphic ones last."""
        named = [name for name, target in self.belongs_to.items() if target == self.companion]
        return (*named, *(name for name, target in self.belongs_to.items() if target is None))

    @cached_property
    def touches_companion(self) -> bool:
        """Whether a change of the record also moves the cursor of the record it is included with."""
        return bool(self.comes_with) and self.companion_relationships[0] in self.touches

    @cached_property
    def parent_ways(self) -> tuple[tuple[str, ...], ...]:
        """For each way to a record, the relationships it provides: those to the parents the record is found under.

        A record has all relationships of at least one way. Empty if the records have no parents, or no columns for
        them. An unconfirmed path through others provides none: its relationships are looked up in the parents' rows.
        """
        if self.comes_with:
            return (self.companion_relationships[:1],)
        paths = dict.fromkeys((*self.paths(), *self.paths(is_path_absent=True)))
        if self.is_unconfirmed and self.placeholders and not self.belongs_to.keys() & set(self.placeholders):
            del paths[self.path]
        ways = [tuple(name for name in placeholders_of(path) if name in self.belongs_to) for path in paths]
        return tuple(dict.fromkeys(ways)) if all(ways) else ()

    @cached_property
    def listing_kinds(self) -> tuple[str, ...]:
        """The relationships to the parents that list the records, by kind.

        Empty if each record is listed by one parent.

        Parents of two kinds may list the same record, and parents of one kind where `listed_by` says so.
        """
        innermost = [(placeholders_of(path) or ("",))[-1] for path in self.all_paths]
        kinds = tuple(dict.fromkeys(innermost))
        is_shared = len(kinds) > 1 or bool(self.listed_by)
        return kinds if is_shared and set(kinds) <= self.belongs_to.keys() else ()

    @cached_property
    def listing_parents(self) -> tuple[str, ...]:
        """The relationships that listings of shared records provide, including those to outer parents."""
        if not self.listing_kinds:
            return ()
        names = (name for path in self.all_paths for name in placeholders_of(path))
        return tuple(name for name in dict.fromkeys(names) if name in self.belongs_to)

    @cached_property
    def strategy(self) -> Strategy:
        if self.carried_as:
            return Strategy.INCLUDED
        return Strategy.CHILD if self.placeholders else self.listing

    @cached_property
    def listing(self) -> Strategy:
        """Strategy for one listing: the stream's, or that of each parent's listing."""
        if self.is_pushed:
            return Strategy.PUSHED
        if self.is_singleton:
            return Strategy.SINGLETON
        if self.cursor == "created_at":
            return Strategy.APPEND
        if not self.cursor:
            return Strategy.FULL
        if not self.is_cursor_orderable:
            return Strategy.FILTERED
        return Strategy.INCREMENTAL if self.is_cursor_filterable else Strategy.ORDERED

    @cached_property
    def links(self) -> Mapping[str, str]:
        """To-many relationship -> short name of its link table: `{"tags": "events_tags"}`."""
        return {name: f"{self.short_name}_{name}" for name in (*self.has_many, *self.listed_by)}

    @cached_property
    def columns(self) -> Mapping[str, ColumnType]:
        """All typed columns besides `id`, in table order.

        A relationship and an attribute with the same column (`person_to_keep` and `person_to_keep_id`) share it; the
        relationship's value is preferred, the attribute's is used if there is none.
        """
        relationships = dict.fromkeys(self.relationship_columns, ColumnType.TEXT)
        attributes = {name: kind for name, kind in self.attributes.items() if name not in relationships}
        return {**relationships, **attributes}

    @cached_property
    def relationship_columns(self) -> tuple[str, ...]:
        """Columns of to-one relationships: `person_id`, and `local_type` of a polymorphic one."""
        return tuple(
            f"{relationship}_{part}"
            for relationship, target in self.belongs_to.items()
            for part in (("id",) if target else ("id", "type"))
        )

    @cached_property
    def vertex(self) -> str:
        """The type's name in snake case, as in URLs and events."""
        return snake(self.type)

    @cached_property
    def reference_url(self) -> str:
        """The public page that documents the type."""
        return self.product.reference_url(self.vertex)
