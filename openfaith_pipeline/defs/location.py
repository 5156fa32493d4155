"""All Dagster definitions together."""

from collections.abc import Sequence
from functools import cache

import dagster as dg

from openfaith_pipeline.database.gc_tuning import rare_collections
from openfaith_pipeline.defs.alert_sensors import alerts_sensor, failed_runs_sensor
from openfaith_pipeline.defs.cancellation import canceled_runs_sensor
from openfaith_pipeline.defs.canonical_assets import canonical_assets, canonical_sensor
from openfaith_pipeline.defs.canonical_checks import canonical_checks
from openfaith_pipeline.defs.conflicts import resolve_conflicts
from openfaith_pipeline.defs.connection_asset import CONNECTION, connections_sensor
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.held_deletions import decide_held_deletion
from openfaith_pipeline.defs.jobs import EXECUTOR, SYNC_JOB
from openfaith_pipeline.defs.logins import link_users_job, link_users_schedule
from openfaith_pipeline.defs.maintenance import maintenance_job, maintenance_schedule
from openfaith_pipeline.defs.org_checks import org_checks, org_checks_sensor, report_org_checks
from openfaith_pipeline.defs.preview import no_preview_warnings
from openfaith_pipeline.defs.raw_assets import product_assets
from openfaith_pipeline.defs.rebuilds import rebuild_job
from openfaith_pipeline.defs.resources import SyncEngine
from openfaith_pipeline.defs.schedules import incremental_schedule, reconcile_schedule
from openfaith_pipeline.defs.sensors import lost_retries_sensor, orgs_sensor, requests_sensor
from openfaith_pipeline.defs.sweeps import sweep_job
from openfaith_pipeline.defs.token_refresh import token_refresh_job, token_refresh_schedule
from openfaith_pipeline.defs.verification import verify_job, verify_schedule
from openfaith_pipeline.defs.webhooks import webhook_deliveries, webhooks_sensor
from openfaith_pipeline.defs.workflow_jobs import WORKFLOW_JOBS
from openfaith_pipeline.sources import STREAMS


@cache
def definitions() -> dg.Definitions:
    """The code location, derived from the catalog and the canonical model."""
    with no_preview_warnings(), rare_collections():
        defs = _definitions(asset_checks=[canonical_checks()])
        # Here and not at first use, which would warn: sensors are copied when their jobs are resolved.
        defs.get_repository_def()
    return defs


@cache
def sync_definitions() -> dg.Definitions:
    """The same for syncs in this process, without the checks that no sync runs."""
    with no_preview_warnings(), rare_collections():
        defs = _definitions(asset_checks=())
        defs.get_repository_def()
    return defs


def _definitions(asset_checks: Sequence[dg.AssetChecksDefinition]) -> dg.Definitions:
    products = dict.fromkeys(stream.product for stream in STREAMS.values())
    assets = [*(product_assets(product) for product in products), canonical_assets()]
    database = DatabaseResource()
    return dg.Definitions(
        assets=[*assets, CONNECTION],
        asset_checks=[org_checks, *asset_checks],
        jobs=[
            *(SYNC_JOB, sweep_job, webhook_deliveries, maintenance_job, token_refresh_job, verify_job, link_users_job),
            *(*WORKFLOW_JOBS, decide_held_deletion, resolve_conflicts, rebuild_job, report_org_checks),
        ],
        schedules=[
            incremental_schedule,
            reconcile_schedule,
            maintenance_schedule,
            token_refresh_schedule,
            link_users_schedule,
            verify_schedule,
        ],
        sensors=[
            orgs_sensor,
            requests_sensor,
            lost_retries_sensor,
            canonical_sensor,
            webhooks_sensor,
            failed_runs_sensor,
            canceled_runs_sensor,
            alerts_sensor,
            connections_sensor,
            org_checks_sensor,
        ],
        resources={"database": database, "engine": SyncEngine(database=database)},
        executor=EXECUTOR,
    )
