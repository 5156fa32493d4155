"""The status `withheld`, for a stream whose records the source may have withheld without a refusal."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

SCHEMA = "sync"
STATUSES = ("running", "succeeded", "failed", "incomplete", "abandoned", "unavailable", "planned", "rolled_back")
AVAILABILITIES = ("available", "not_granted", "forbidden", "absent", "silent")


def upgrade() -> None:
    _allow("stream_syncs", "status", (*STATUSES, "withheld"))
    _allow("stream_states", "availability", (*AVAILABILITIES, "withheld"))


def downgrade() -> None:
    op.execute("UPDATE sync.stream_syncs SET status = 'incomplete' WHERE status = 'withheld'")
    op.execute("UPDATE sync.stream_states SET availability = 'silent' WHERE availability = 'withheld'")
    _allow("stream_syncs", "status", STATUSES)
    _allow("stream_states", "availability", AVAILABILITIES)


def _allow(table: str, column: str, values: tuple[str, ...]) -> None:
    op.drop_constraint(f"{column}_is_known", table, schema=SCHEMA)
    listed = ", ".join(f"'{value}'" for value in values)
    op.create_check_constraint(f"{column}_is_known", table, f"{column} IN ({listed})", schema=SCHEMA)
