"""Tables of schema `sync`: orgs, connections, syncs of streams and their errors."""

from openfaith_pipeline.database.bookkeeping import (
    alerts,
    changes,
    conflicts,
    erasures,
    orgs,
    readers,
    requests,
    reviews,
    syncs,
    verifications,
    webhooks,
)
from openfaith_pipeline.database.bookkeeping.columns import ENCRYPTED, METADATA, SYNC_SCHEMA

__all__ = [
    "ENCRYPTED",
    "METADATA",
    "SYNC_SCHEMA",
    "alerts",
    "changes",
    "conflicts",
    "erasures",
    "orgs",
    "readers",
    "requests",
    "reviews",
    "syncs",
    "verifications",
    "webhooks",
]
