"""The tables of the OpenFaith application that a sync writes, with the application's names, columns, defaults and keys.

Tables of entities and folders are derived from the mappings' declarations; links, edges and their register are defined
here. One difference is deliberate: the key of `openfaith_externalLinks` includes the entity type, because Planning
Center numbers each type of record separately, so an email and a person may have the same id.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    CHAR,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from openfaith_pipeline.canonical.document import described_table, references_of
from openfaith_pipeline.canonical.registry import CanonicalColumn, CanonicalTable
from openfaith_pipeline.canonical.words import GENERAL, mark_of_edges, words_of_column, words_of_general
from openfaith_pipeline.catalog.stream import ColumnType
from openfaith_pipeline.catalog.words import Words
from openfaith_pipeline.database.comments import describe
from openfaith_pipeline.sources import CANONICAL

CANONICAL_PREFIX: Final = "openfaith_"
_WITHOUT_TYPE: Final = frozenset({"folders", "fieldOptions"})
"""The application's entities that have no `type`."""

_TYPE_DEFAULTS: Final = {"fields": "singleSelect"}
"""The default of `type`, where the application has another than `default`."""

_GENERAL: Final = frozenset({"status", "inactivatedAt", "inactivatedBy", "type", "tags"})
"""Columns that every entity has, whether or not a declaration feeds them."""

_TYPES: Final[Mapping[ColumnType, TypeEngine[Any]]] = {
    ColumnType.TEXT: Text(),
    ColumnType.INTEGER: BigInteger(),
    ColumnType.FLOAT: Double(),
    ColumnType.BOOLEAN: Boolean(),
    ColumnType.DATE: Date(),
    ColumnType.TIMESTAMP: DateTime(timezone=True),
    ColumnType.JSON: JSONB(none_as_null=True),
}

EXTERNAL_LINK_KEY: Final = ("orgId", "adapter", "entityType", "externalId")


@cache
def canonical_metadata(schema: str) -> MetaData:
    """The canonical tables in `schema`: for example `metadata.tables[f"{schema}.openfaith_people"]`."""
    metadata = MetaData(schema=schema)
    for declared in CANONICAL.tables.values():
        _add_declared(metadata, declared)
    _add_sacraments(metadata)
    _add_external_links(metadata)
    _add_edges(metadata)
    _add_entity_relationships(metadata)
    for table in metadata.tables.values():
        describe(table, GENERAL)
    return metadata


def _add_declared(metadata: MetaData, declared: CanonicalTable) -> None:
    own = [_declared(column) for column in declared.columns.values() if column.name not in _GENERAL]
    own += [column for column in _unfed(declared.name) if column.name not in declared.columns]
    table = _add_entity(metadata, declared.name, declared.tag, *own, comment=described_table(declared))
    describe(table, {**words_of_general(CANONICAL, declared), **_words_of_fed(declared)})
    for name in references_of(declared):
        Index(f"{declared.name}{name[0].upper()}{name[1:]}Idx", table.c[name])


def _unfed(table: str) -> list[Column[Any]]:
    """The application's columns that are there whether or not a declaration feeds them."""
    match table:
        case "folders":
            return [_text(name) for name in ("color", "description", "icon", "orderingKey")]
        case "fields":
            return [_text("description")]
        case "fieldOptions":
            return [_flag("active", default=True), _json("pathwayConfig", "{}")]
    return []


def _words_of_fed(table: CanonicalTable) -> dict[str, Words]:
    return {name: words_of_column(table, name) for name in table.columns}


def _declared(column: CanonicalColumn) -> Column[Any]:
    default = column.default
    kind = Integer() if column.is_32_bit else _TYPES[column.kind]
    written = None if default is None or isinstance(default, str) else text(str(default).lower())
    return Column(column.name, kind, nullable=default is None, server_default=written)


def _add_sacraments(metadata: MetaData) -> None:
    """Add the table of sacraments. It is seeded for a new org, not synced: Planning Center has no such type."""
    _add_entity(metadata, "sacraments", "sacrament", *map(_text, ("administeredBy", "occurredAt", "receivedBy")))
    table = metadata.tables[f"{metadata.schema}.{CANONICAL_PREFIX}sacraments"]
    Index("sacramentsAdministeredByIdx", table.c.administeredBy)
    Index("sacramentsReceivedByIdx", table.c.receivedBy)


def _add_external_links(metadata: MetaData) -> None:
    table = Table(
        f"{CANONICAL_PREFIX}externalLinks",
        metadata,
        _tag("externalLink"),
        _required("orgId"),
        _required("adapter"),
        _required("entityType"),
        _required("externalId"),
        _required("entityId"),
        _flag("syncing"),
        _moment("createdAt", required=True),
        _moment("updatedAt"),
        _moment("lastProcessedAt", required=True),
        _moment("deletedAt"),
        _text("deletedBy"),
        PrimaryKeyConstraint(*EXTERNAL_LINK_KEY, name="openfaith_externalLinks_pk"),
    )
    Index("uniqueExternalLink", *(table.c[name] for name in EXTERNAL_LINK_KEY), unique=True)
    Index("adapterExternalIdIdx", table.c.adapter, table.c.externalId)
    Index("entityIdIdx", table.c.entityId)


def _add_edges(metadata: MetaData) -> None:
    table = Table(
        f"{CANONICAL_PREFIX}edges",
        metadata,
        _tag("edge"),
        _required("orgId"),
        _required("sourceEntityId"),
        _required("targetEntityId"),
        _required("relationshipType"),
        _required("sourceEntityTypeTag"),
        _required("targetEntityTypeTag"),
        _json("metadata", "{}"),
        *_authored(),
        PrimaryKeyConstraint("orgId", "sourceEntityId", "targetEntityId", "relationshipType"),
    )
    describe(table, {"metadata": Words(GENERAL["metadata"].text, mark_of_edges(CANONICAL))})
    Index("edgeRelationshipTypeIdx", table.c.relationshipType)
    Index("edgeSourceEntityIdIdx", table.c.sourceEntityId)
    Index("edgeTargetEntityIdIdx", table.c.targetEntityId)


def _add_entity_relationships(metadata: MetaData) -> None:
    table = Table(
        f"{CANONICAL_PREFIX}entityRelationships",
        metadata,
        _tag("entityRelationships"),
        _required("orgId"),
        _required("sourceEntityType"),
        _json("targetEntityTypes"),
        Column("updatedAt", DateTime(timezone=True), nullable=False, server_default=func.now()),
        PrimaryKeyConstraint("orgId", "sourceEntityType"),
    )
    Index("entityRelationshipsOrgIdx", table.c.orgId)


def _add_entity(metadata: MetaData, plural: str, tag: str, *columns: Column[Any], comment: str | None = None) -> Table:
    table = Table(
        f"{CANONICAL_PREFIX}{plural}",
        metadata,
        _tag(tag),
        Column("id", Text, primary_key=True),
        _required("orgId"),
        *columns,
        _json("externalIds"),
        _json("customFields"),
        _json("tags"),
        *([] if plural in _WITHOUT_TYPE else [_required("type", _TYPE_DEFAULTS.get(plural, "default"))]),
        _required("status", "active"),
        _moment("inactivatedAt"),
        _text("inactivatedBy"),
        *_authored(),
        comment=comment,
    )
    Index(f"{plural}OrgIdIdx", table.c.orgId)
    return table


def _authored() -> list[Column[Any]]:
    return [
        _moment("createdAt", required=True),
        _text("createdBy"),
        _moment("updatedAt"),
        _text("updatedBy"),
        _moment("deletedAt"),
        _text("deletedBy"),
    ]


def _text(name: str) -> Column[Any]:
    return Column(name, Text)


def _required(name: str, default: str | None = None) -> Column[Any]:
    return Column(name, Text, nullable=False, server_default=default)


def _moment(name: str, *, required: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=not required)


def _flag(name: str, *, default: bool = False) -> Column[Any]:
    return Column(name, Boolean, nullable=False, server_default=text(str(default).lower()))


def _json(name: str, default: str = "[]") -> Column[Any]:
    return Column(name, JSONB, nullable=False, server_default=text(f"'{default}'::jsonb"))


def _tag(value: str) -> Column[Any]:
    return Column("_tag", CHAR(len(value)), nullable=False, server_default=value)
