"""Asset selections and run configuration for streams."""

from collections.abc import Collection
from typing import Any

import dagster as dg

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.checks import rules_for
from openfaith_pipeline.defs.asset_metadata import asset_key
from openfaith_pipeline.defs.placement import canonical_key
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.transform import SOURCES


def assets_of(streams: Collection[Stream]) -> frozenset[dg.AssetKey]:
    """The assets of the streams, and of the canonical tables that they feed."""
    names = {stream.name for stream in streams}
    canonical = [canonical_key(table) for table, sources in SOURCES.items() if names.intersection(sources)]
    return frozenset([*map(asset_key, streams), *canonical])


def checks_of(streams: Collection[Stream]) -> frozenset[dg.AssetCheckKey]:
    """The checks that a sync of the streams runs: theirs.

    Without a selection Dagster runs every check of the selected assets, also those of the OpenFaith tables.
    """
    return frozenset(dg.AssetCheckKey(asset_key(stream), rule.name) for stream in streams for rule in rules_for(stream))


def mode_config(streams: Collection[Stream], mode: SyncMode) -> dict[str, Any]:
    """The run configuration for reading these streams in this mode."""
    return {"ops": {stream.product.schema: {"config": {"mode": mode.name}} for stream in streams}}
