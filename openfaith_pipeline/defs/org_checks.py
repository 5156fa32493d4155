"""Checks of each org as a whole, on the asset of its connection.

Freshness is a check because Dagster's own freshness policies look at an asset as a whole and not at its partitions.
Both are reported whenever their result changes; a person can execute them for an org, or for all together.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Any, Final, NamedTuple

import dagster as dg
import orjson
from pydantic import Field

from openfaith_pipeline.defs.asset_metadata import CHURCH
from openfaith_pipeline.defs.connection_asset import CONNECTION
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.jobs import EXECUTOR
from openfaith_pipeline.defs.op_errors import RETRY_POLICY, acted_on
from openfaith_pipeline.defs.partitions import ORG
from openfaith_pipeline.defs.preview import no_preview_warnings
from openfaith_pipeline.orgs.delays import Delay, read_delays
from openfaith_pipeline.orgs.failures import Failing, read_failures
from openfaith_pipeline.orgs.health import Health, read_health
from openfaith_pipeline.orgs.naming import names_of
from openfaith_pipeline.sources import DEFAULT_SOURCE

_MOST_NAMED: Final = 10
_UP_TO_DATE: Final = "up_to_date"
_SYNCS_SUCCEED: Final = "syncs_succeed"
_DESCRIPTIONS: Final = {
    _UP_TO_DATE: "Every stream of the org has been synced within the freshness limit (OPENFAITH_FRESHNESS_HOURS).",
    _SYNCS_SUCCEED: "The newest sync of each stream succeeded, by a sweep or otherwise, and the connection is usable.",
}
_TROUBLED: Final = ("needs_reconnect", "not_connected")


class Verdict(NamedTuple):
    """The result of one check of one org. subjects: names of the problems, which do not change with their age.

    reasons: for people; none if it passed.
    """

    org_id: str
    check: str
    subjects: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class OrgFacts:
    """Facts about every org, for the checks."""

    names: Mapping[str, str]
    health: Mapping[str, Health]
    delays: Mapping[str, Delay]
    failures: Mapping[str, Sequence[Failing]]
    limit: timedelta

    def verdicts(self, org_id: str) -> tuple[Verdict, Verdict]:
        """An org that is no longer registered fails both."""
        delay, health = self.delays.get(org_id), self.health.get(org_id)
        if health is None:
            gone = (("not registered",), ("it is not connected",))
            return Verdict(org_id, _UP_TO_DATE, *gone), Verdict(org_id, _SYNCS_SUCCEED, *gone)
        late = (("late",), (delay.longer_than(self.limit),)) if delay else ((), ())
        unusable = {health.state: str(health)} if health.state in _TROUBLED else {}
        failing = {each.stream: f"{each.stream} {each.status}: {each.error}" for each in self.failures.get(org_id, ())}
        troubles = unusable | failing
        return (
            Verdict(org_id, _UP_TO_DATE, *late),
            Verdict(org_id, _SYNCS_SUCCEED, tuple(troubles), tuple(troubles.values())),
        )


def read_facts(database: DatabaseResource) -> OrgFacts:
    """Facts about all orgs that are registered now, for the asset's source only."""
    adapter, limit = DEFAULT_SOURCE.adapter, timedelta(hours=database.database.settings.freshness_hours)
    with database.connect() as connection:
        health = read_health(connection, adapter=adapter)
        names = names_of(connection, list(health))
        delays, failures = read_delays(connection, limit, adapter), read_failures(connection, adapter)
        return OrgFacts(names, health, delays, failures, limit)


def _specs() -> list[dg.AssetCheckSpec]:
    with no_preview_warnings():
        return [
            dg.AssetCheckSpec(name, asset=CONNECTION.key, description=words, partitions_def=ORG)
            for name, words in _DESCRIPTIONS.items()
        ]


@dg.multi_asset_check(
    name="org_checks",
    specs=_specs(),
    can_subset=True,
    description="Examines the bookkeeping of one org, or of all, without requests to Planning Center.",
)
def org_checks(context: dg.AssetCheckExecutionContext, database: DatabaseResource) -> Iterator[dg.AssetCheckResult]:
    facts = read_facts(database)
    org_ids = [context.partition_key] if context.has_partition_key else list(facts.health)
    verdicts = [verdict for org_id in org_ids for verdict in facts.verdicts(org_id)]
    for key in context.selected_asset_check_keys:
        yield dg.AssetCheckResult(asset_key=key.asset_key, check_name=key.name, **_result(facts, key.name, verdicts))


class ReportConfig(dg.Config):
    """Orgs whose checks are reported."""

    org_ids: list[str] = Field(default=[], description="Ids of orgs; none for all.")


@dg.op(
    description="Reports the checks of these orgs.",
    retry_policy=RETRY_POLICY,
    out=dg.Out(dg.Nothing),
)
def report_checks(context: dg.OpExecutionContext, config: ReportConfig, database: DatabaseResource) -> None:
    """Report the checks as events of a run: Dagster refuses a second evaluation of a partition outside a run."""
    with acted_on(context):
        facts = read_facts(database)
        for verdict in chain.from_iterable(facts.verdicts(org_id) for org_id in config.org_ids or facts.health):
            evaluation = dg.AssetCheckEvaluation(
                asset_key=CONNECTION.key,
                check_name=verdict.check,
                partition=verdict.org_id,
                **_result(facts, verdict.check, [verdict]),
            )
            context.log_event(evaluation)  # type: ignore[arg-type] # it takes them, although its annotation lacks them


@dg.job(
    name="report_org_checks",
    description="Reports the checks of orgs whose result has changed.",
    executor_def=EXECUTOR,
)
def report_org_checks() -> None:
    report_checks()


@dg.sensor(
    name="org_checks",
    description="Has the checks of an org reported whenever their result changes.",
    job=report_org_checks,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def org_checks_sensor(context: dg.SensorEvaluationContext, database: DatabaseResource) -> dg.SensorResult:
    facts = read_facts(database)
    known = orjson.loads(context.cursor or "{}")
    now = {org_id: [list(verdict.subjects) for verdict in facts.verdicts(org_id)] for org_id in facts.health}
    changed = [org_id for org_id, subjects in now.items() if known.get(org_id) != subjects]
    config = {"ops": {report_checks.name: {"config": {"org_ids": changed}}}}
    return dg.SensorResult(
        skip_reason=None if changed else dg.SkipReason("No check has another result."),
        run_requests=[dg.RunRequest(run_config=config)] if changed else [],
        cursor=orjson.dumps(now).decode(),
    )


def _result(facts: OrgFacts, check: str, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """A check's result over these orgs, without its key."""
    judged = [verdict for verdict in verdicts if verdict.check == check]
    reasons = [f"{facts.names.get(each.org_id, each.org_id)}: {reason}" for each in judged for reason in each.reasons]
    rest = [f"and {len(reasons) - _MOST_NAMED} more"] if len(reasons) > _MOST_NAMED else []
    failing = sum(bool(each.reasons) for each in judged)
    whose: dict[str, str | int] = {"churches": len(judged), "churches_failing": failing}
    if len(judged) == 1:
        whose = {CHURCH: facts.names.get(judged[0].org_id, "")}
    return {
        "passed": not reasons,
        "severity": dg.AssetCheckSeverity.WARN,
        "description": "; ".join([*reasons[:_MOST_NAMED], *rest]) or None,
        "metadata": whose,
    }
