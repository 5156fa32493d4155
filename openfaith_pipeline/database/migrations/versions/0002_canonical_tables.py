"""The OpenFaith tables that a sync writes, where they are missing, and a wider key for external links.

The key of the application's own `openfaith_externalLinks` lacks the entity type. Planning Center numbers each type of
record separately, so with that key the email 7 would be taken for the person 7. Every row that satisfies the narrow key
satisfies the wider one.
"""

from typing import Any

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LINKS = "openfaith_externalLinks"
LINK_KEY = ["orgId", "adapter", "entityType", "externalId"]


def upgrade() -> None:
    schema = context.config.attributes["canonical_schema"]
    quoted = op.get_bind().dialect.identifier_preparer.quote_schema(schema)
    op.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted}")
    existing = sa.inspect(op.get_bind()).get_table_names(schema=schema)
    for name, columns in _entities().items():
        if f"openfaith_{name}" not in existing:
            op.create_table(f"openfaith_{name}", *columns, schema=schema)
            op.create_index(f"{name}OrgIdIdx", f"openfaith_{name}", ["orgId"], schema=schema)
    if LINKS in existing:
        _widen_link_key(schema)
    else:
        _create_links(schema)
    if "openfaith_edges" not in existing:
        _create_edges(schema)
    if "openfaith_entityRelationships" not in existing:
        _create_entity_relationships(schema)


def _entities() -> dict[str, list[sa.Column[Any]]]:
    addresses = ("streetLine1", "streetLine2", "city", "state", "zip", "countryCode", "location")
    people = (
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
    return {
        "people": _entity("person", *map(_text, people)),
        "emails": _entity("email", _required("address"), _text("location"), _flag("primary"), _flag("blocked")),
        "phoneNumbers": _entity(
            "phoneNumber", _text("number"), _text("countryCode"), _text("location"), _flag("primary")
        ),
        "addresses": _entity("address", *map(_text, addresses), _flag("primary")),
        "campuses": _entity(
            "campus",
            *map(_required, ("name", "street", "city", "state", "zip")),
            *map(_text, ("countryCode", "description", "avatar", "url")),
            sa.Column("latitude", sa.Double),
            sa.Column("longitude", sa.Double),
        ),
    }


def _entity(tag: str, *columns: sa.Column[Any]) -> list[sa.Column[Any]]:
    return [
        _tag(tag),
        sa.Column("id", sa.Text, primary_key=True),
        _required("orgId"),
        *columns,
        *map(_json, ("externalIds", "customFields", "tags")),
        _required("type", "default"),
        _required("status", "active"),
        _moment("inactivatedAt"),
        _text("inactivatedBy"),
        *_authored(),
    ]


def _create_links(schema: str) -> None:
    op.create_table(
        LINKS,
        _tag("externalLink"),
        *map(_required, (*LINK_KEY, "entityId")),
        _flag("syncing"),
        _moment("createdAt", required=True),
        _moment("updatedAt"),
        _moment("lastProcessedAt", required=True),
        _moment("deletedAt"),
        _text("deletedBy"),
        sa.PrimaryKeyConstraint(*LINK_KEY, name="openfaith_externalLinks_pk"),
        schema=schema,
    )
    op.create_index("uniqueExternalLink", LINKS, LINK_KEY, unique=True, schema=schema)
    op.create_index("adapterExternalIdIdx", LINKS, ["adapter", "externalId"], schema=schema)
    op.create_index("entityIdIdx", LINKS, ["entityId"], schema=schema)


def _widen_link_key(schema: str) -> None:
    inspector = sa.inspect(op.get_bind())
    key = inspector.get_pk_constraint(LINKS, schema=schema)
    if set(key["constrained_columns"]) != set(LINK_KEY):
        if key["name"]:
            op.drop_constraint(key["name"], LINKS, schema=schema, type_="primary")
        op.create_primary_key("openfaith_externalLinks_pk", LINKS, LINK_KEY, schema=schema)
    narrow = {"orgId", "adapter", "externalId"}
    constraints = inspector.get_unique_constraints(LINKS, schema=schema)
    for constraint in constraints:
        if set(constraint["column_names"]) == narrow:
            op.drop_constraint(str(constraint["name"]), LINKS, schema=schema, type_="unique")
    for index in inspector.get_indexes(LINKS, schema=schema):
        is_constraint = any(index["name"] == constraint["name"] for constraint in constraints)
        if index["unique"] and set(index["column_names"]) == narrow and not is_constraint:
            op.drop_index(str(index["name"]), LINKS, schema=schema)
    if not any(set(found["column_names"]) == set(LINK_KEY) for found in inspector.get_indexes(LINKS, schema=schema)):
        op.create_index("uniqueExternalLink", LINKS, LINK_KEY, unique=True, schema=schema)


def _create_edges(schema: str) -> None:
    key = ("orgId", "sourceEntityId", "targetEntityId", "relationshipType")
    op.create_table(
        "openfaith_edges",
        _tag("edge"),
        *map(_required, (*key, "sourceEntityTypeTag", "targetEntityTypeTag")),
        _json("metadata", "{}"),
        *_authored(),
        sa.PrimaryKeyConstraint(*key),
        schema=schema,
    )
    for column in ("relationshipType", "sourceEntityId", "targetEntityId"):
        op.create_index(f"edge{column[0].upper()}{column[1:]}Idx", "openfaith_edges", [column], schema=schema)


def _create_entity_relationships(schema: str) -> None:
    op.create_table(
        "openfaith_entityRelationships",
        _tag("entityRelationships"),
        *map(_required, ("orgId", "sourceEntityType")),
        _json("targetEntityTypes"),
        sa.Column("updatedAt", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("orgId", "sourceEntityType"),
        schema=schema,
    )
    op.create_index("entityRelationshipsOrgIdx", "openfaith_entityRelationships", ["orgId"], schema=schema)


def _authored() -> list[sa.Column[Any]]:
    moments = (_moment("createdAt", required=True), _moment("updatedAt"), _moment("deletedAt"))
    return [*moments, *map(_text, ("createdBy", "updatedBy", "deletedBy"))]


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text)


def _required(name: str, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


def _moment(name: str, *, required: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not required)


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.text("false"))


def _json(name: str, default: str = "[]") -> sa.Column[Any]:
    return sa.Column(name, JSONB, nullable=False, server_default=sa.text(f"'{default}'::jsonb"))


def _tag(value: str) -> sa.Column[Any]:
    return sa.Column("_tag", sa.CHAR(len(value)), nullable=False, server_default=value)
