"""Readers: logins that read the rows of some orgs only, and the functions that the policies of tables call."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

# They look at the login, not at the current role: SET ROLE changes only the latter.
FUNCTIONS = """
CREATE FUNCTION sync.readable_orgs() RETURNS text[] LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(array_agg(org_id), '{}') FROM sync.reader_orgs WHERE login = session_user $$;
CREATE FUNCTION sync.reads_all_orgs() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$ SELECT EXISTS (SELECT FROM sync.readers WHERE login = session_user AND sees_all_orgs) $$;
REVOKE EXECUTE ON FUNCTION sync.readable_orgs(), sync.reads_all_orgs() FROM PUBLIC;
"""


def upgrade() -> None:
    op.create_table(
        "readers",
        sa.Column("login", sa.Text, primary_key=True, comment="the role of Postgres that it connects as"),
        sa.Column("sees_giving", sa.Boolean, nullable=False),
        sa.Column("sees_all_orgs", sa.Boolean, nullable=False, comment="also those that are added later"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        schema="sync",
    )
    op.create_table(
        "reader_orgs",
        sa.Column("login", sa.Text, sa.ForeignKey("sync.readers.login", ondelete="CASCADE"), nullable=False),
        sa.Column("org_id", sa.Text, sa.ForeignKey("sync.orgs.org_id", ondelete="CASCADE"), nullable=False),
        sa.PrimaryKeyConstraint("login", "org_id"),
        schema="sync",
    )
    op.create_index("reader_orgs_org_id_idx", "reader_orgs", ["org_id"], schema="sync")
    op.execute(FUNCTIONS)


def downgrade() -> None:
    op.execute("DROP FUNCTION sync.readable_orgs() CASCADE")
    op.execute("DROP FUNCTION sync.reads_all_orgs() CASCADE")
    op.drop_table("reader_orgs", schema="sync")
    op.drop_table("readers", schema="sync")
