"""The declarations: how the records of one stream become rows, folders, edges or fields of OpenFaith.

Each declares one stream. Where several streams become one table, each of them has a declaration of its own. Keys,
links, custom fields, deletes, the edges between entities and the order of writing are not declared: they follow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from openfaith_pipeline.canonical.rules import Constant, FirstOf, Reference, Rule, Take
from openfaith_pipeline.catalog.stream import Stream

FOLDERS: Final = "folders"
FOLDER_TAG: Final = "folder"
SAME_ID: Final = "id"
"""As a field's `via`: the field's record has the id of the one it is a field of."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Entity:
    """Each record of the stream is a row of `openfaith_<table>`.

    tag: names the type in links and edges, and in lower case in its ids.
    columns: canonical column -> the rule that feeds it. `status`, `inactivatedAt` and `type` are there anyway.
    is_qualified: links name the record by stream and id, `groups.events:7`, because another stream of the source has
        the same tag and numbers its records for itself. Only one of its streams with a tag has plain ids, the one that
        had them first.
    names: polymorphic relationship -> the streams of the records that it may name; it is an edge to each of them.
    """

    table: str
    tag: str
    stream: Stream
    columns: Mapping[str, Rule]
    is_qualified: bool = False
    names: Mapping[str, tuple[Stream, ...]] = field(default_factory=dict)

    @property
    def id_prefix(self) -> str:
        """Prefix of the entity's TypeIDs: the lower-cased tag."""
        return self.tag.lower()

    @property
    def namespace(self) -> str:
        """The prefix of a record's external id."""
        return f"{self.stream.name}:" if self.is_qualified else ""

    @cached_property
    def known_since(self) -> tuple[str, ...]:
        """The raw columns that say when a record was created, best first; the last is never null."""
        return (*(name for name in ("created_at", "updated_at") if name in self.stream.attributes), "_first_seen_at")

    @property
    def has_updated_at(self) -> bool:
        return "updated_at" in self.stream.attributes

    @cached_property
    def unmapped_attributes(self) -> tuple[str, ...]:
        """Attributes without a column of their own, in the catalog's order: the custom fields."""
        mapped = {name for rule in self.columns.values() for name in rule.attributes}
        relationships = {f"{relationship}_id" for relationship in self.stream.belongs_to}
        ours = mapped | relationships | {"created_at", "updated_at"}
        return tuple(name for name in self.stream.attributes if name not in ours)


@dataclass(frozen=True, kw_only=True, eq=False)
class Folder:
    """Each record of the stream is a folder of `openfaith_folders`.

    type: `folderType`; `<adapter>_<type in snake case>` unless given.
    parent: the relationship that names the folder it is in.
    columns: further columns: `description`, `color`, `icon`, `orderingKey`, `status`, `inactivatedAt`.
    """

    stream: Stream
    type: str = ""
    name: Rule = field(default_factory=lambda: Take("name", default=""))
    parent: str | None = None
    columns: Mapping[str, Rule] = field(default_factory=dict)

    @property
    def _own_type(self) -> str:
        return f"{self.stream.adapter}_{self.stream.vertex}"

    @cached_property
    def entity(self) -> Entity:
        """The folder in the form of an Entity."""
        own: dict[str, Rule] = {"name": self.name, "folderType": Constant(self.type or self._own_type)}
        if self.parent:
            own["parentFolderId"] = Reference(self.parent)
        return Entity(
            table=FOLDERS, tag=FOLDER_TAG, stream=self.stream, columns={**own, **self.columns}, is_qualified=True
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Edge:
    """Each record of the stream is an edge between the entities that two of its relationships name.

    between: those relationships. The first names one type of record, the one with fewer of these edges: through it a
        changed record's edges are looked at again. The second may name records of several types.
    metadata: name -> rule, besides `recordId`. Where several records are one edge, the newest gives these, and
        `records` has all of them.
    name: `relationshipKey`, and in `relationshipType` where it has an underscore; the type in snake case unless given.
    """

    stream: Stream
    between: tuple[str, str]
    metadata: Mapping[str, Rule] = field(default_factory=dict)
    name: str = ""

    @property
    def key(self) -> str:
        return self.name or self.stream.vertex


@dataclass(frozen=True, kw_only=True, eq=False)
class Field:
    """The records of the stream are values of fields of another's: custom fields of an entity, or metadata of an edge.

    on: the stream of that entity or edge.
    via: the relationship between the two, of whichever side has it; SAME_ID where both have one id.
    values: name (without the adapter) -> rule over the field's record. Several records of one entity make one text,
        sorted and joined by ", ".
    """

    stream: Stream
    on: Stream
    via: str
    values: Mapping[str, Rule]


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """The records of the stream are answers to fields that a church defines for itself.

    on: the record the answer belongs to; `via` names it, and may name records of other types too.
    definition: the relationship to the definition. slug, data_type, deleted: attributes of the definition.
    value: rule over the answer.
    """

    stream: Stream
    on: Stream
    via: str
    definition: str
    definitions: Stream
    value: Take | FirstOf
    slug: str = "slug"
    data_type: str = "data_type"
    deleted: str = "deleted_at"


@dataclass(frozen=True, kw_only=True, eq=False)
class Alias:
    """The records of the stream are those of another, with the same ids: a person as another product shows them.

    A reference to one of these is a reference to the record of `of`. They become nothing else.
    """

    stream: Stream
    of: Stream


Declaration = Entity | Folder | Edge | Field | Answers | Alias
