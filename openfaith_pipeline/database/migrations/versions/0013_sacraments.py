"""The table of sacraments, which the OpenFaith application seeds for a new org: created where it is missing."""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLE = "openfaith_sacraments"
EMPTY = sa.text("'[]'::jsonb")


def upgrade() -> None:
    schema = context.config.attributes["canonical_schema"]
    if TABLE in sa.inspect(op.get_bind()).get_table_names(schema=schema):
        return
    moment = sa.DateTime(timezone=True)
    op.create_table(
        TABLE,
        sa.Column("_tag", sa.CHAR(9), nullable=False, server_default="sacrament"),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("orgId", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("administeredBy", "occurredAt", "receivedBy")),
        *(
            sa.Column(name, JSONB, nullable=False, server_default=EMPTY)
            for name in ("externalIds", "customFields", "tags")
        ),
        sa.Column("type", sa.Text, nullable=False, server_default="default"),
        sa.Column("status", sa.Text, nullable=False, server_default="active"),
        sa.Column("inactivatedAt", moment),
        sa.Column("inactivatedBy", sa.Text),
        sa.Column("createdAt", moment, nullable=False),
        sa.Column("createdBy", sa.Text),
        sa.Column("updatedAt", moment),
        sa.Column("updatedBy", sa.Text),
        sa.Column("deletedAt", moment),
        sa.Column("deletedBy", sa.Text),
        schema=schema,
    )
    for column in ("orgId", "administeredBy", "receivedBy"):
        op.create_index(f"sacraments{column[0].upper()}{column[1:]}Idx", TABLE, [column], schema=schema)
