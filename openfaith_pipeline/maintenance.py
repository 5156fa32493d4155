"""What is to be done from time to time, so that nothing grows for ever and nothing runs out."""

from dataclasses import dataclass
from datetime import timedelta

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.journal_partitions import add_partitions, drop_partitions
from openfaith_pipeline.inbox.requests import forget_ended
from openfaith_pipeline.inbox.webhook_deliveries import forget_settled
from openfaith_pipeline.load.abandoning import forget_abandoned
from openfaith_pipeline.load.plans import give_up_old_plans


@dataclass(frozen=True)
class Maintained:
    """What was done: months of the journal made ahead and dropped, syncs, plans, old webhooks and requests given up."""

    months_added: int
    months_dropped: int
    syncs_forgotten: int
    plans_given_up: int = 0
    deliveries_forgotten: int = 0
    requests_forgotten: int = 0


def maintain(database: Database) -> Maintained:
    """Do it all; to be called once a day. Doing it again, or twice at the same time, does no harm."""
    settings = database.settings
    with database.connect(autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended('openfaith_pipeline.maintenance', 0))")
        return Maintained(
            months_added=len(add_partitions(connection)),
            months_dropped=len(drop_partitions(connection, days=settings.journal_days)),
            syncs_forgotten=forget_abandoned(connection, timedelta(hours=settings.abandoned_hours)),
            plans_given_up=give_up_old_plans(connection),
            deliveries_forgotten=forget_settled(connection),
            requests_forgotten=forget_ended(connection, timedelta(days=settings.journal_days)),
        )
