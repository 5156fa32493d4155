"""Automatic rollback of a sync's rows when a blocking check fails, or when its run is canceled."""

from collections.abc import Sequence
from dataclasses import dataclass

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.checks import Finding, rules_for
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import StreamBusy, UsageError
from openfaith_pipeline.load.sync_log import between_attempts
from openfaith_pipeline.sync.rollback import OnConflict, OrgRollback, RollbackOrder, roll_back
from openfaith_pipeline.sync.worker import BUSY_PATIENCE_SECONDS, when_free


@dataclass(frozen=True)
class Compensation:
    """A rollback with its reason. check, finding: of the failed blocking check, if that was the reason."""

    order: RollbackOrder
    undone: Sequence[OrgRollback]
    reason: str
    check: str | None = None
    finding: Finding | None = None


def compensate(database: Database, org_id: str, sync_id: str, stream: Stream) -> Compensation | None:
    """Roll back the stream's part of the sync if a blocking check fails on the rows it wrote; None if all pass.

    Rows that others have changed meanwhile are kept. Raises StreamBusy if another sync holds the stream for long.
    """
    with database.connect() as connection:
        examined = [
            (rule, rule.examine_sync(connection, stream, org_id, sync_id))
            for rule in rules_for(stream)
            if rule.examine_sync
        ]
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
    try:
        # A webhook's delivery or another sync may have taken the stream between the publish and the check.
        undone = when_free(lambda: roll_back(database, order), BUSY_PATIENCE_SECONDS)
    except StreamBusy as busy:
        raise StreamBusy(
            f"{order.reason}, and the changes could not be rolled back: {busy}."
            f" Next: openfaith-pipeline rollback {sync_id} --org {org_id} --on-conflict keep"
        ) from busy
    reason = (
        f"{order.reason}, so the changes of this sync to it were rolled back by {order.rollback_id};"
        " if the source is right, sync it with --mode full_refresh"
    )
    return Compensation(order, undone, reason, rule.name, finding)


def undo_canceled(database: Database, org_id: str, sync_id: str, run_id: str) -> Compensation | None:
    """Roll back the sync's changes to the org after its run was canceled; None if there are none.

    None too if another run has continued the sync, whose changes then include that run's. Rows that others have changed
    meanwhile are kept. Raises StreamBusy while another sync of its streams is running.
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
            return None  # nothing was published, or it is rolled back already
