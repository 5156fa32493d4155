"""What a sync has published is undone by itself where a check marked blocking fails, and where its run was canceled."""

from collections.abc import Sequence
from dataclasses import dataclass

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.checks import Finding, rules_for
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.load.sync_log import between_attempts
from openfaith_pipeline.sync.rollback import OnConflict, OrgRollback, RollbackOrder, roll_back


@dataclass(frozen=True)
class Compensation:
    """What was undone, as which order, and why. check, finding: the blocking check that failed, if it was one."""

    order: RollbackOrder
    undone: Sequence[OrgRollback]
    reason: str
    check: str | None = None
    finding: Finding | None = None


def compensate(database: Database, org_id: str, sync_id: str, stream: Stream) -> Compensation | None:
    """Undo the stream's part of the sync if a blocking check fails on what it published; None when all is well.

    Rows that others have changed meanwhile are kept.
    """
    with database.connect() as connection:
        examined = [(rule, rule.examine(connection, stream, org_id)) for rule in rules_for(stream) if rule.is_blocking]
    failed = next(((rule, finding) for rule, finding in examined if not finding.passed), None)
    if failed is None:
        return None
    rule, finding = failed
    counts = ", ".join(f"{count} {name}" for name, count in finding.counts.items())
    order = RollbackOrder(
        sync_id,
        OnConflict.KEEP,
        streams=[stream.name],
        org_ids=[org_id],
        reason=f"the blocking check {rule.name} failed ({counts})",
        trigger="check",
        is_over=True,
    )
    undone = roll_back(database, order)
    reason = (
        f"{order.reason}, so what this sync had published of it was rolled back by {order.rollback_id};"
        " where the source is right, sync it with --mode full_refresh"
    )
    return Compensation(order, undone, reason, rule.name, finding)


def undo_canceled(database: Database, org_id: str, sync_id: str, run_id: str) -> Compensation | None:
    """Undo what a sync has published of the org before its run was canceled; None when there is nothing.

    Nothing either where another run has gone on with the sync: what that has published is the sync's too. Rows that
    others have changed meanwhile are kept. Raises StreamBusy while another sync of its streams lives.
    """
    order = RollbackOrder(
        sync_id,
        OnConflict.KEEP,
        org_ids=[org_id],
        reason="its run was canceled",
        trigger="cancel",
        is_over=True,
    )
    with between_attempts(database, sync_id) as last_run_id:
        if last_run_id not in {None, run_id}:
            return None
        try:
            return Compensation(order, roll_back(database, order), order.reason)
        except UsageError:
            return None  # it had published nothing, or is rolled back already
