"""Words and marks for the columns of a stream: its own, those of its product's dictionary, and derived ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from openfaith_pipeline.catalog.stream import Stream


class Mark(StrEnum):
    """The kind of sensitive data that a column holds. Ids of people are not marked: they say nothing by themselves."""

    PERSONAL = "personal"
    """Names a person, reaches them, or tells something about their life."""
    FINANCIAL = "financial"
    """Money that was given, promised or owed, and how it was paid."""
    HEALTH = "health"
    """Illnesses, allergies and special needs."""


class Words(NamedTuple):
    """The description of a column or table, without a period at its end; and the column's mark."""

    text: str
    mark: Mark | None = None

    @property
    def comment(self) -> str:
        """As one text, the way Postgres keeps it: `Date of birth [personal]`."""
        return f"{self.text} [{self.mark}]" if self.mark else self.text


Entries = Mapping[str, str | Words]
"""Descriptions by attribute; a plain text has no mark."""


personal: Final = partial(Words, mark=Mark.PERSONAL)
financial: Final = partial(Words, mark=Mark.FINANCIAL)
health: Final = partial(Words, mark=Mark.HEALTH)


@dataclass(frozen=True)
class Dictionary:
    """The descriptions of one product.

    tables: by table. attributes: by table and attribute; a relationship's are under its column. common: by attribute,
    if the table has no description of its own for it.
    """

    tables: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Entries] = field(default_factory=dict)
    common: Entries = field(default_factory=dict)

    def find(self, table: str, attribute: str) -> Words | None:
        """The description of an attribute; None if the dictionary has none."""
        return as_words(self.attributes.get(table, {}).get(attribute) or self.common.get(attribute))


def as_words(entry: str | Words | None) -> Words | None:
    return Words(entry) if isinstance(entry, str) else entry


def strictest(marks: "set[Mark | None]") -> Mark | None:
    """The mark of a column that is made from several."""
    return next((mark for mark in (Mark.HEALTH, Mark.FINANCIAL, Mark.PERSONAL) if mark in marks), None)


def describe_table(stream: "Stream") -> str:
    """One sentence about the stream's records, without its final period."""
    known = stream.description or stream.product.dictionary.tables.get(stream.short_name)
    title = f"{stream.product.source.title} {_spaced(stream.product.value).title()}"
    return known or f"{_spaced(stream.short_name).capitalize()} of {title}"


def describe_columns(stream: "Stream") -> Mapping[str, Words]:
    """The description of every column of the stream's raw table; a column without a description is left out."""
    described = {
        **{name: words for name in stream.attributes if (words := _of_attribute(stream, name))},
        **{name: words for relationship in stream.belongs_to for name, words in _of_relationship(stream, relationship)},
    }
    first, last = _of_ours(stream)
    return {**first, **{name: described[name] for name in stream.columns if name in described}, **last}


def describe_links(stream: "Stream", relationship: str) -> Mapping[str, Words]:
    """The description of every column of the table of links of a to-many relationship."""
    target = stream.has_many.get(relationship) or stream.belongs_to.get(stream.listed_by.get(relationship, ""))
    return {
        "org_id": _ORG,
        "id": Words(f"Id of the record, in {stream.raw_table}"),
        "related_id": Words(f"Id of one of its {_spaced(relationship)}" + _in_table(stream, target)),
        "position": Words("Place among the record's, from 1"),
    }


def own_words(stream: "Stream", column: str) -> Words | None:
    """The description written for a column: in the declaration, else in the product's dictionary."""
    return as_words(stream.words.get(column)) or stream.product.dictionary.find(stream.short_name, column)


def _of_attribute(stream: "Stream", name: str) -> Words | None:
    return own_words(stream, name) or _derived(stream, name)


def _derived(stream: "Stream", name: str) -> Words | None:
    """Words that follow from the name alone."""
    if name in _BY_NAME:
        return Words(_BY_NAME[name].format(source=stream.product.source.title, record=_spaced(stream.vertex)))
    for ending, form in _BY_ENDING.items():
        if name.endswith(ending):
            return Words(form.format(_spaced(name.removesuffix(ending))))
    return None


def _of_relationship(stream: "Stream", relationship: str) -> list[tuple[str, Words]]:
    target, column = stream.belongs_to[relationship], f"{relationship}_id"
    own = own_words(stream, column)
    text = own.text if own else f"Id of the {_ROLES.get(relationship, _spaced(relationship))}"
    if target:
        return [(column, Words(text + _in_table(stream, target)))]
    kind = Words(f"Type of the record that {column} names")
    return [(column, Words(f"{text}, a record of the type in {relationship}_type")), (f"{relationship}_type", kind)]


def _in_table(stream: "Stream", target: str | None) -> str:
    return f", in {stream.adapter}_{target}" if target else ""


def _of_ours(stream: "Stream") -> tuple[Mapping[str, Words], Mapping[str, Words]]:
    source = stream.product.source.title
    first = {"org_id": _ORG, "id": Words(f"{source}'s id of the record, unique within the org and this table")}
    return first, _LAST


def _spaced(name: str) -> str:
    return name.replace("_", " ")


_ORG: Final = Words("The org; with the id, the key")

_LAST: Final[Mapping[str, Words]] = {
    "_extra": personal("Attributes that have no column, and values that do not fit theirs; they may be anything"),
    "_content_hash": Words("Hash by which changes of the record are detected"),
    "_first_seen_at": Words("When a sync first read the record"),
    "_synced_at": Words("When a sync last wrote the row"),
    "_deleted_at": Words("When the record was found to be deleted; null while it exists"),
    "_sync_id": Words("The sync that last wrote the row"),
}

_BY_NAME: Final = {
    "created_at": "When the record was created in {source}",
    "updated_at": "When the record last changed in {source}",
    "archived": "Whether the {record} is archived",
    "archived_at": "When the {record} was archived; null until then",
    "deleted_at": "When the {record} was put in the trash; null until then",
    "completed_at": "When the {record} was completed",
    "starts_at": "When the {record} begins",
    "ends_at": "When the {record} ends",
    "name": "Name of the {record}",
    "title": "Title of the {record}",
    "description": "Description of the {record}",
    "status": "State of the {record}",
    "color": "Color in which the {record} is shown",
    "url": "Web address of the {record}",
    "sequence": "Place of the {record} in the order shown",
    "position": "Place of the {record} in the order shown",
}

_BY_ENDING: Final = {
    "_count": "Number of {}",
    "_enabled": "Whether {} may be used",
    "_url": "Web address of the {}",
}

_ROLES: Final = {
    "created_by": "person who created it",
    "updated_by": "person who last changed it",
    "undone_by": "person who undid it",
    "resolved_by": "person who resolved it",
    "scheduled_by": "person who scheduled it",
    "checked_in_by": "person who checked them in",
    "checked_out_by": "person who checked them out",
    "checked_in_at": "station of the check-in",
    "from": "sender",
    "to": "receiver",
    "time": "time of the plan",
    "parent": "record above it",
    "local": "record in this product",
    "annotatable": "record that the note is about",
    "attachable": "record it belongs to",
    "customizable": "record that has the field",
    "fieldable": "record behind the field",
    "optionable": "record behind the option",
    "person_to_keep": "profile that remained",
    "person_to_remove": "profile that was merged into the other",
    "owner": "person responsible for it",
    "winner": "event that kept the resource",
    "responds_to": "person who receives the answers",
    "default_responds_to": "person who receives the answers, unless another is named",
}
"""Relationships that say more by a sentence than by their name."""
