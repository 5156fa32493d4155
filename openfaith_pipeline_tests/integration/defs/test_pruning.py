"""Old runs and events of a real instance are deleted; the events that define the state of assets stay."""

from typing import Any

import dagster as dg

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.partitions import ORG
from openfaith_pipeline.sync.maintenance import maintain

KEY = dg.AssetKey("members")


@dg.asset(key=KEY, partitions_def=ORG)
def members(context: dg.AssetExecutionContext) -> None:
    context.log.info("counted")


@dg.asset_check(asset=members, partitions_def=ORG)
def are_members() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def materialized(instance: dg.DagsterInstance, org_id: str) -> str:
    done = dg.materialize([members, are_members], instance=instance, partition_key=org_id)
    return done.run_id


def age(database: Database, *run_ids: str) -> None:
    """Let the runs, and all that was reported outside of any, have been forty days ago."""
    with database.connect() as connection:
        connection.execute(
            "UPDATE dagster.runs SET end_time = end_time - 40 * 86400, create_timestamp = create_timestamp"
            " - interval '40 days', update_timestamp = update_timestamp - interval '40 days' WHERE run_id = ANY(%s)",
            (list(run_ids),),
        )
        connection.execute("UPDATE dagster.event_logs SET timestamp = timestamp - interval '40 days' WHERE run_id = ''")


def events_of(database: Database, run_id: str) -> list[str]:
    with database.connect() as connection:
        rows: list[tuple[Any]] = connection.execute(
            "SELECT dagster_event_type FROM dagster.event_logs WHERE run_id = %s AND asset_key IS NOT NULL ORDER BY id",
            (run_id,),
        ).fetchall()
    return [kind for (kind,) in rows]


def test_old_runs_go_and_the_newest_of_each_partition_stays(instance: dg.DagsterInstance, database: Database) -> None:
    instance.add_dynamic_partitions("org", ["org_a", "org_b"])
    first, second, only, young = (materialized(instance, org) for org in ("org_a", "org_a", "org_b", "org_a"))
    for number in range(2):
        instance.report_runless_asset_event(dg.AssetObservation(KEY, partition="org_b", metadata={"number": number}))
    crashed = instance.create_run_for_job(dg.job(name="any")(lambda: None))
    waiting, under_way = (instance.create_run_for_job(dg.job(name="any")(lambda: None)) for _ in range(2))
    for run, *kinds in ((crashed, "PIPELINE_START", "PIPELINE_FAILURE"), (under_way, "PIPELINE_START")):
        for kind in kinds:
            instance.report_dagster_event(dg.DagsterEvent(kind, run.job_name), run.run_id)
    age(database, first, second, only, crashed.run_id, waiting.run_id, under_way.run_id)

    before = instance.get_latest_storage_id_by_partition(KEY, dg.DagsterEventType.ASSET_MATERIALIZATION)
    done = maintain(database)
    assert done.runs_forgotten == 3
    assert done.events_forgotten > 20

    left = {run.run_id for run in instance.get_runs()}
    assert left == {only, young, waiting.run_id, under_way.run_id}
    assert instance.get_latest_storage_id_by_partition(KEY, dg.DagsterEventType.ASSET_MATERIALIZATION) == before
    assert "ASSET_MATERIALIZATION" in events_of(database, only)
    with database.connect() as connection:
        [others] = connection.execute(
            "SELECT count(*) FROM dagster.event_logs WHERE run_id = %s AND asset_key IS NULL", (only,)
        ).fetchone() or [None]
        [checked] = connection.execute("SELECT count(*) FROM dagster.asset_check_executions").fetchone() or [None]
    assert others == 0, "the rest of its log is gone"
    assert checked == 2, "of each partition the newest"
    [observed] = instance.fetch_observations(KEY, limit=10).records
    assert observed.asset_observation
    assert observed.asset_observation.metadata["number"].value == 1

    again = maintain(database)
    assert (again.runs_forgotten, again.events_forgotten) == (0, 0)
