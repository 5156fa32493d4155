"""Daily maintenance, so that nothing grows for ever and nothing runs out."""

from dataclasses import dataclass
from datetime import timedelta

from openfaith_pipeline.audit.records import forget_verifications
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.dagster_history import forget_runs
from openfaith_pipeline.database.journal_partitions import (
    add_partitions,
    drop_partitions,
    forget_entries,
    may_change_partitions,
)
from openfaith_pipeline.inbox.requests import forget_ended
from openfaith_pipeline.load.plans import give_up_old_plans
from openfaith_pipeline.load.retention import forget_abandoned, forget_resolved, forget_syncs
from openfaith_pipeline.load.tombstone_retention import remove_tombstones
from openfaith_pipeline.review.conflicts import forget_decided
from openfaith_pipeline.webhooks.deliveries import forget_settled


@dataclass(frozen=True)
class Maintained:
    """Results: journal partitions created and dropped, and numbers of syncs, plans, old webhooks and requests removed.

    runs_forgotten, events_forgotten: Dagster's. records_forgotten: old records of streams' syncs.
    resolved_forgotten: quarantine entries. verifications_forgotten: their reports, except each org's newest.
    tombstones_removed: raw rows that were marked deleted for longer than they are kept.
    entries_forgotten: journal entries of orgs with their own retention. conflicts_forgotten: decided ones.
    """

    months_added: int
    months_dropped: int
    syncs_forgotten: int
    plans_given_up: int = 0
    deliveries_forgotten: int = 0
    requests_forgotten: int = 0
    runs_forgotten: int = 0
    events_forgotten: int = 0
    records_forgotten: int = 0
    resolved_forgotten: int = 0
    verifications_forgotten: int = 0
    entries_forgotten: int = 0
    conflicts_forgotten: int = 0
    tombstones_removed: int = 0


def maintain(database: Database) -> Maintained:
    """Run all maintenance, once a day. Running it again or twice at the same time is harmless."""
    settings = database.settings
    runs, journal = timedelta(days=settings.runs_days), timedelta(days=settings.journal_days)
    with database.connect(autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended('openfaith_pipeline.maintenance', 0))")
        abandoned = forget_abandoned(connection, timedelta(hours=settings.abandoned_hours))
        plans = give_up_old_plans(connection)
        runs_forgotten, events_forgotten = forget_runs(connection, runs)
        forgotten = forget_entries(connection, days=settings.journal_days)
        is_owner = may_change_partitions(connection)
        dropped = drop_partitions(connection, days=settings.journal_days) if is_owner else []
        deleted = timedelta(days=settings.deleted_days)
        return Maintained(
            entries_forgotten=forgotten,
            months_added=len(add_partitions(connection)) if is_owner else 0,
            months_dropped=len(dropped),
            tombstones_removed=remove_tombstones(connection, deleted) if deleted else 0,
            syncs_forgotten=abandoned,
            plans_given_up=plans,
            deliveries_forgotten=forget_settled(connection),
            requests_forgotten=forget_ended(connection, timedelta(days=settings.journal_days)),
            runs_forgotten=runs_forgotten,
            events_forgotten=events_forgotten,
            records_forgotten=forget_syncs(connection, runs=runs, journal=max(runs, journal)),
            resolved_forgotten=forget_resolved(connection, journal),
            conflicts_forgotten=forget_decided(connection, journal),
            verifications_forgotten=forget_verifications(connection, runs),
        )
