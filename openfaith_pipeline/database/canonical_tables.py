"""The tables of the OpenFaith application that a sync writes, with the application's names, columns, defaults and keys.

One difference is deliberate: the key of `openfaith_externalLinks` includes the entity type, because Planning Center
numbers each type of record separately, so an email and a person may have the same id.
"""

from functools import cache
from typing import Any, Final

from sqlalchemy import (
    CHAR,
    Boolean,
    Column,
    DateTime,
    Double,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

CANONICAL_PREFIX: Final = "openfaith_"
EXTERNAL_LINK_KEY: Final = ("orgId", "adapter", "entityType", "externalId")


@cache
def canonical_metadata(schema: str) -> MetaData:
    """The canonical tables in `schema`: for example `metadata.tables[f"{schema}.openfaith_people"]`."""
    metadata = MetaData(schema=schema)
    _add_people(metadata)
    _add_emails(metadata)
    _add_phone_numbers(metadata)
    _add_addresses(metadata)
    _add_campuses(metadata)
    _add_sacraments(metadata)
    _add_external_links(metadata)
    _add_edges(metadata)
    _add_entity_relationships(metadata)
    return metadata


def _add_people(metadata: MetaData) -> None:
    names = (
        "firstName",
        "middleName",
        "lastName",
        "name",
        "gender",
        "birthdate",
        "anniversary",
        "membership",
        "avatar",
    )
    _add_entity(metadata, "people", "person", *map(_text, names))


def _add_emails(metadata: MetaData) -> None:
    columns = (_required("address"), _text("location"), _flag("primary"), _flag("blocked"))
    _add_entity(metadata, "emails", "email", *columns)


def _add_phone_numbers(metadata: MetaData) -> None:
    columns = (_text("number"), _text("countryCode"), _text("location"), _flag("primary"))
    _add_entity(metadata, "phoneNumbers", "phoneNumber", *columns)


def _add_addresses(metadata: MetaData) -> None:
    names = ("streetLine1", "streetLine2", "city", "state", "zip", "countryCode", "location")
    _add_entity(metadata, "addresses", "address", *map(_text, names), _flag("primary"))


def _add_campuses(metadata: MetaData) -> None:
    _add_entity(
        metadata,
        "campuses",
        "campus",
        *(_required(name) for name in ("name", "street", "city", "state", "zip")),
        *(_text(name) for name in ("countryCode", "description", "avatar", "url")),
        Column("latitude", Double),
        Column("longitude", Double),
    )


def _add_sacraments(metadata: MetaData) -> None:
    """Seeded for a new org, not synced: Planning Center has no such type."""
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


def _add_entity(metadata: MetaData, plural: str, tag: str, *columns: Column[Any]) -> None:
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
        _required("type", "default"),
        _required("status", "active"),
        _moment("inactivatedAt"),
        _text("inactivatedBy"),
        *_authored(),
    )
    Index(f"{plural}OrgIdIdx", table.c.orgId)


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


def _flag(name: str) -> Column[Any]:
    return Column(name, Boolean, nullable=False, server_default=text("false"))


def _json(name: str, default: str = "[]") -> Column[Any]:
    return Column(name, JSONB, nullable=False, server_default=text(f"'{default}'::jsonb"))


def _tag(value: str) -> Column[Any]:
    return Column("_tag", CHAR(len(value)), nullable=False, server_default=value)
