"""The nightly verification: a share of each org's streams, its results as checks of their assets."""

from datetime import UTC, date, datetime
from typing import Final

import dagster as dg

from openfaith_pipeline.audit.report import Verification
from openfaith_pipeline.audit.shares import is_turn_of_canonical, share_of
from openfaith_pipeline.audit.verification import Extent
from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.canonical_checks import evaluations_of
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.failed import failed_for_all
from openfaith_pipeline.defs.jobs import EXECUTOR
from openfaith_pipeline.defs.op_errors import RETRY_POLICY, acted_on
from openfaith_pipeline.defs.verified_checks import VERIFIED, judged_parts, result_of, verify_now
from openfaith_pipeline.errors import DatabaseUnavailable, OpenFaithError, UsageError
from openfaith_pipeline.orgs.naming import names_of
from openfaith_pipeline.orgs.registry import list_orgs

_FAILURES_TOLD: Final = 20


@dg.op(
    description="Verifies a share of the streams of every org that is not paused, one org after the other, with the"
    " lowest priority in its request budget.",
    retry_policy=RETRY_POLICY,
    out=dg.Out(dg.Nothing),
)
def verify_share(context: dg.OpExecutionContext, database: DatabaseResource) -> None:
    nights = database.database.settings.verify_nights
    if not nights:
        context.log.info("OPENFAITH_VERIFY_NIGHTS is 0: nothing is verified at night.")
        return
    failures: dict[str, str] = {}
    statuses: list[str] = []
    with acted_on(context):
        for org_id in _orgs(database.database):
            try:
                report = _verify(database.database, org_id, datetime.now(UTC).date(), nights)
            except DatabaseUnavailable:
                raise
            except UsageError:
                continue  # paused meanwhile, or nothing of the share was ever read
            except OpenFaithError as error:
                failures[org_id] = str(error)
            else:
                statuses.append(report.status)
                _report_checks(context, report)
                if report.canonical:
                    _report_canonical(context, database.database, org_id)
    _conclude(context, database.database, statuses, failures)


def _orgs(database: Database) -> list[str]:
    with database.connect() as connection:
        return [org.org_id for org in list_orgs(connection) if org.paused_at is None]


def _verify(database: Database, org_id: str, day: date, nights: int) -> Verification:
    extent = Extent(share_of(day, nights), with_canonical=is_turn_of_canonical(org_id, day, nights))
    return verify_now(database, org_id, extent, "schedule")


def _report_checks(context: dg.OpExecutionContext, report: Verification) -> None:
    """An evaluation of the check for each table.

    They are events of this run, which serves all orgs: without a run, Dagster keeps one evaluation per partition.
    """
    for key, part in judged_parts(report):
        evaluation = dg.AssetCheckEvaluation(
            asset_key=key, check_name=VERIFIED, partition=report.org_id, **result_of(report, part)
        )
        context.log_event(evaluation)  # type: ignore[arg-type] # it takes them, although its annotation lacks them


def _report_canonical(context: dg.OpExecutionContext, database: Database, org_id: str) -> None:
    """Evaluations of the checks of the OpenFaith tables, which no sync runs."""
    for evaluation in evaluations_of(database, org_id):
        context.log_event(evaluation)  # type: ignore[arg-type] # as above


def _conclude(
    context: dg.OpExecutionContext, database: Database, statuses: list[str], failures: dict[str, str]
) -> None:
    counts = {status: statuses.count(status) for status in ("equal", "differs", "incomplete")}
    context.add_output_metadata({"orgs": len(statuses), **counts, "failed": len(failures)})
    for org_id, error in list(failures.items())[:_FAILURES_TOLD]:
        context.log.warning(f"{org_id}: {error}")
    if failures and not statuses:
        with database.connect() as connection:
            names = names_of(connection, failures)
        raise failed_for_all(f"None of {len(failures)} churches could be verified.", failures, names)


@dg.job(name="verify", description="The nightly verification of a share of each org's streams.", executor_def=EXECUTOR)
def verify_job() -> None:
    verify_share()


verify_schedule = dg.ScheduleDefinition(
    name="verify",
    job=verify_job,
    cron_schedule="10 8 * * *",
    description="Verifies a share of each org's streams at night: all of them within 7 nights, or as"
    " OPENFAITH_VERIFY_NIGHTS says.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
