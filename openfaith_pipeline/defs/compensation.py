"""Events for compensations: rollbacks in the history of an asset's partition."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Final

import dagster as dg

from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.defs.asset_metadata import CHURCH
from openfaith_pipeline.defs.placement import HERE, Placement
from openfaith_pipeline.journal.tables import CONFLICTS, LOCAL_EDITS, tables_of_stream
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.rollback import OrgRollback, RollbackOrder

_NOTES: Final = frozenset((LOCAL_EDITS.full_name, CONFLICTS.full_name))
"""Journaled tables that are not assets."""


def report_rollback(
    instance: dg.DagsterInstance,
    order: RollbackOrder,
    undone: Sequence[OrgRollback],
    names: Mapping[str, str],
) -> None:
    """Add the rollback's events to the instance, outside of any run."""
    for event in rollback_events(order, undone, names):
        instance.report_runless_asset_event(event)


def rollback_events(
    order: RollbackOrder, undone: Sequence[OrgRollback], names: Mapping[str, str], place: Placement = HERE
) -> Iterator[dg.AssetObservation]:
    """An observation for each asset concerned, on the org's partition; link tables count with their stream.

    names: of the orgs.
    """
    for org in undone:
        for key, rows in _rows_of_assets(org, place).items():
            yield dg.AssetObservation(
                asset_key=key,
                partition=org.org_id,
                description=f"Rolled back: {order.reason}.",
                metadata={
                    CHURCH: names.get(org.org_id, org.org_id),
                    "rolled_back_sync_id": order.sync_id,
                    "sync_id": order.rollback_id,
                    "reason": order.reason,
                    **{f"rows_{name}": count for name, count in rows.items()},
                },
            )


def _rows_of_assets(org: OrgRollback, place: Placement) -> dict[dg.AssetKey, dict[str, int]]:
    counted: dict[dg.AssetKey, Counter[str]] = {}
    for table, undone in org.tables.items():
        if table in _NOTES:
            continue
        counted.setdefault(_asset_of(table, place), Counter()).update(asdict(undone))
    return {key: dict(rows) for key, rows in counted.items()}


def _asset_of(table: str, place: Placement) -> dg.AssetKey:
    name = table.partition(".")[2]
    if name.startswith(CANONICAL_PREFIX):
        return place.canonical(name.removeprefix(CANONICAL_PREFIX))
    stream = next(stream for stream in STREAMS.values() if table in tables_of_stream(stream))
    return place.raw(stream)
