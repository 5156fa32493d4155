"""Jobs, and the executor of their runs."""

from typing import Final

import dagster as dg

from openfaith_pipeline.defs.asset_metadata import asset_key
from openfaith_pipeline.sources import DEFAULT_SOURCE, STREAMS

# In one process: a process for each step would cost more than most steps do, and one that outlives its killed run would
# go on writing. A step starts when its inputs are there, so a failed stream delays only the steps that depend on it.
EXECUTOR: Final = dg.in_process_executor.configured(
    {"step_dependency_config": {"require_upstream_step_success": False}}, name="in_process"
)

SYNC_JOB: Final = dg.define_asset_job(
    name=DEFAULT_SOURCE.sync_job,
    description=f"Everything of one org: {DEFAULT_SOURCE.title} into the raw tables, the raw tables into OpenFaith's.",
    # Checks of the OpenFaith tables read whole tables: no sync runs them.
    selection=dg.AssetSelection.all().without_checks()
    | dg.AssetSelection.checks_for_assets(*map(asset_key, STREAMS.values())),
    executor_def=EXECUTOR,
)
