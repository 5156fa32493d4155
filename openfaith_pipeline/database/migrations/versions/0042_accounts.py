"""Each source's own id of a church, by org and adapter; what was there is the first adapter's.

It stays when the connection is removed, so it is in a table of its own. The column that was there is kept equal to the
first adapter's, in both directions, so that the version before, which reads and writes it, goes on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

SCHEMA = "sync"

COPIED = """
INSERT INTO sync.source_accounts (org_id, adapter, number)
SELECT org_id, 'pco', organization_id FROM sync.orgs WHERE organization_id IS NOT NULL
"""
FROM_ORG = """
CREATE FUNCTION sync.note_account_of_org() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO sync.source_accounts AS kept (org_id, adapter, number) VALUES (NEW.org_id, 'pco', NEW.organization_id)
    ON CONFLICT (org_id, adapter) DO UPDATE SET number = excluded.number WHERE kept.number <> excluded.number;
    RETURN NULL;
END $$;
CREATE TRIGGER note_account AFTER INSERT OR UPDATE OF organization_id ON sync.orgs
    FOR EACH ROW WHEN (NEW.organization_id IS NOT NULL) EXECUTE FUNCTION sync.note_account_of_org();
"""
FROM_ACCOUNT = """
CREATE FUNCTION sync.note_org_of_account() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE sync.orgs SET organization_id = NEW.number
    WHERE org_id = NEW.org_id AND organization_id IS DISTINCT FROM NEW.number;
    RETURN NULL;
END $$;
CREATE TRIGGER note_org AFTER INSERT OR UPDATE OF number ON sync.source_accounts
    FOR EACH ROW WHEN (NEW.adapter = 'pco') EXECUTE FUNCTION sync.note_org_of_account();
"""


def upgrade() -> None:
    op.create_table(
        "source_accounts",
        sa.Column("org_id", sa.Text, sa.ForeignKey(f"{SCHEMA}.orgs.org_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("adapter", sa.Text, primary_key=True, comment="the source that it is of"),
        sa.Column("number", sa.Text, nullable=False, comment="the source's own id of the church"),
        schema=SCHEMA,
    )
    op.create_index("source_accounts_number_idx", "source_accounts", ["adapter", "number"], schema=SCHEMA)
    op.execute(COPIED)
    op.execute(FROM_ORG)
    op.execute(FROM_ACCOUNT)


def downgrade() -> None:
    op.drop_table("source_accounts", schema=SCHEMA)
    op.execute("DROP FUNCTION sync.note_org_of_account()")
    op.execute("DROP FUNCTION sync.note_account_of_org() CASCADE")
