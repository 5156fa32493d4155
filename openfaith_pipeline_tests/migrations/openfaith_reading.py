"""How OpenFaith reads its tables: its queries and its reading of rows, made from the facts of its schema alone.

A row that it cannot read, it shows nobody: whatever is wrong with one is a fault, in these words.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from psycopg import Connection, sql
from psycopg.rows import dict_row
from typeid import TypeID
from typeid.core.errors import TypeIDException

Row = dict[str, Any]

FORM: Final = (
    *("_tag", "id", "orgId", "externalIds", "tags", "customFields", "status"),
    *(f"{verb}{end}" for verb in ("created", "updated", "deleted", "inactivated") for end in ("At", "By")),
)
"""The columns that every entity has."""

_KINDS: Final[Mapping[str, tuple[type, ...]]] = {"string": (str,), "number": (int, float), "boolean": (bool,)}
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}(T.*)?")
_E164: Final = re.compile(r"\+[1-9]\d{1,14}")
_VERSION: Final = 7

_LIVE: Final = 'SELECT * FROM {} WHERE "orgId" = %s AND "deletedAt" IS NULL ORDER BY "createdAt" DESC, id'
_FOLDERS: Final = (
    'SELECT * FROM openfaith_folders WHERE "orgId" = %s AND "deletedAt" IS NULL'
    ' AND "parentFolderId" IS NOT DISTINCT FROM %s ORDER BY "orderingKey", name'
)
_EDGES: Final = (
    'SELECT * FROM openfaith_edges WHERE "orgId" = %(org)s AND "deletedAt" IS NULL'
    ' AND ("sourceEntityId" = %(id)s OR "targetEntityId" = %(id)s)'
)
_LINK: Final = (
    'SELECT * FROM "openfaith_externalLinks" WHERE "orgId" = %s AND adapter = %s AND "externalId" = %s'
    ' AND "entityType" = %s'
)
_LINKS: Final = 'SELECT * FROM "openfaith_externalLinks" WHERE "entityId" = %s'
_FIELD: Final = 'SELECT * FROM openfaith_fields WHERE "orgId" = %s AND key = %s'
_FIELDS_OF: Final = 'SELECT * FROM openfaith_fields WHERE "entityTag" = %s AND "orgId" = %s AND "deletedAt" IS NULL'
_OPTIONS: Final = (
    'SELECT * FROM "openfaith_fieldOptions" WHERE "orgId" = %s AND "fieldId" = %s AND active AND "deletedAt" IS NULL'
    ' ORDER BY "order", label'
)
_TARGETS: Final = (
    'SELECT "targetEntityTypes" FROM "openfaith_entityRelationships" WHERE "orgId" = %s AND "sourceEntityType" = %s'
)


@dataclass(frozen=True)
class OpenFaith:
    """The application, as a user of one org sees it. tables: by the tag of their entities."""

    connection: Connection[Any]
    org_id: str
    tables: Mapping[str, str]

    def listed(self, tag: str) -> list[Row]:
        """The list of this type's entities."""
        statement = sql.SQL(_LIVE).format(sql.Identifier("public", self.tables[tag]))
        return self._read(statement, (self.org_id,))

    def folders(self, parent: str | None = None) -> list[Row]:
        """The contents of the folder, or of the top."""
        return self._read(_FOLDERS, (self.org_id, parent))

    def edges(self, entity_id: str) -> list[Row]:
        return self._read(_EDGES, {"org": self.org_id, "id": entity_id})

    def entity_of(self, tag: str, record_id: str) -> str | None:
        """By the record's id in the source."""
        return next((row["entityId"] for row in self._read(_LINK, (self.org_id, "pco", record_id, tag))), None)

    def links_of(self, entity_id: str) -> list[Row]:
        return self._read(_LINKS, (entity_id,))

    def field(self, key: str) -> list[Row]:
        return self._read(_FIELD, (self.org_id, key))

    def fields_of(self, tag: str) -> list[Row]:
        return self._read(_FIELDS_OF, (tag, self.org_id))

    def options_of(self, field_id: str) -> list[Row]:
        """The answers to choose from, in their order."""
        return self._read(_OPTIONS, (self.org_id, field_id))

    def targets_of(self, tag: str) -> set[str]:
        """The types that the register has for edges of this one."""
        return {each for row in self._read(_TARGETS, (self.org_id, tag)) for each in row["targetEntityTypes"]}

    def _read(self, statement: Any, values: Any) -> list[Row]:
        return self.connection.cursor(row_factory=dict_row).execute(statement, values).fetchall()

    @cached_property
    def entities(self) -> Mapping[str, tuple[str, Row]]:
        """Every live entity by id: its tag, and its row."""
        return {row["id"]: (tag, row) for tag in self.tables for row in self.listed(tag)}


def faults_of_entity(tag: str, org_id: str, row: Row) -> Iterator[str]:
    """Whatever OpenFaith could not read of an entity."""
    if row["_tag"] != tag or row["orgId"] != org_id:
        yield f"_tag {row['_tag']!r} of org {row['orgId']}"
    yield from faults_of_id(tag, row["id"])
    if row["status"] not in ("active", "inactive"):
        yield f"status {row['status']!r}"
    if "type" in row and not row["type"]:
        yield f"type {row['type']!r}"
    if row.get("gender") not in (None, "male", "female"):
        yield f"gender {row['gender']!r}"
    if tag == "phoneNumber" and row["number"] is not None and not _E164.fullmatch(row["number"]):
        yield f"number {row['number']!r}"
    if not all(isinstance(each, str) for each in row["tags"]):
        yield f"tags {row['tags']!r}"
    for item in row["externalIds"]:
        if item.get("type") != "pco" or not isinstance(item.get("id"), str):
            yield f"external id {item!r}"
    names = [item.get("name") for item in row["customFields"]]
    if len(set(names)) < len(names):
        yield f"custom fields of one name: {names}"
    for item in row["customFields"]:
        yield from _faults_of_field(item)


def faults_of_id(tag: str, entity_id: str) -> Iterator[str]:
    """Unless it is a TypeID of the type, of version 7."""
    try:
        parsed = TypeID.from_string(entity_id)
    except TypeIDException:
        yield f"id {entity_id!r}"
        return
    if parsed.prefix != tag.lower() or parsed.uuid.version != _VERSION:
        yield f"id {entity_id!r}"


def faults_of_edge(row: Row, known: Mapping[str, tuple[str, Row]]) -> Iterator[str]:
    """Of an edge between entities of the source: its ends, direction, type and metadata."""
    source, target = row["sourceEntityId"], row["targetEntityId"]
    tags = row["sourceEntityTypeTag"], row["targetEntityTypeTag"]
    for end, tag in ((source, tags[0]), (target, tags[1])):
        if known.get(end, ("nothing",))[0] != tag:
            yield f"{row['relationshipType']} of a {tag} {end}, which is not there"
    if (source, target) != directed(source, target):
        yield f"direction {source} -> {target}"
    if row["_tag"] != "edge":
        yield f"_tag {row['_tag']!r}"
    metadata = row["metadata"]
    key = metadata.get("relationshipKey")
    if metadata.get("source") != "pco_direct" or not isinstance(key, str):
        yield f"metadata {metadata!r}"
    elif row["relationshipType"] != f"{tags[0]}_{key if '_' in key else 'has'}_{tags[1]}":
        yield f"type {row['relationshipType']!r} of {key!r}"


def directed(one: str, other: str) -> tuple[str, str]:
    """Source and target: a first letter of a-m is a source's; of two on the same side the lower string is."""
    sides = [each[:1].lower() <= "m" for each in (one, other)]
    if sides[0] == sides[1]:
        return min(one, other), max(one, other)
    return (one, other) if sides[0] else (other, one)


def _faults_of_field(item: Mapping[str, Any]) -> Iterator[str]:
    kind, value = item.get("_tag"), item.get("value")
    if set(item) != {"_tag", "name", "source", "value"} or item["source"] != "pco":
        yield f"custom field {item!r}"
    elif not item["name"].startswith("pco_"):
        yield f"custom field's name {item['name']!r}"
    elif kind == "date":
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            yield f"custom field {item!r}"
    elif not isinstance(value, _KINDS.get(str(kind), ())) or (kind == "number" and isinstance(value, bool)):
        yield f"custom field {item!r}"


def few(faults: Sequence[str]) -> list[str]:
    """Some of each kind: the first of those that begin alike."""
    found: dict[str, str] = {}
    for fault in faults:
        found.setdefault(" ".join(fault.split()[:3]), fault)
    return list(found.values())[:30]
