"""Checks of the canonical tables as asset checks, an op of their own that examines any selection of them.

No sync runs them: they read whole tables. They run when a person executes them, or materializes the assets by hand,
when declarative automation updates the tables, and at night for the churches whose tables are verified then.
"""

from collections.abc import Iterator
from typing import Any, Final

import dagster as dg

from openfaith_pipeline.audit.canonical_checks import examine_canonical, rules_of
from openfaith_pipeline.checks import Finding
from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.placement import CANONICAL_GROUP, HERE, Placement
from openfaith_pipeline.transform import SOURCES

NAME: Final = f"{CANONICAL_GROUP}_checks"


def canonical_check_specs(place: Placement = HERE) -> list[dg.AssetCheckSpec]:
    """A check spec for each table and rule that applies to it."""
    return [
        dg.AssetCheckSpec(
            rule.name, asset=place.canonical(table), description=rule.description, partitions_def=place.partitions
        )
        for table in SOURCES
        for rule in rules_of(table)
    ]


def canonical_check_keys(place: Placement = HERE) -> list[dg.AssetCheckKey]:
    """The keys of all of them."""
    return [dg.AssetCheckKey(place.canonical(table), rule.name) for table in SOURCES for rule in rules_of(table)]


def canonical_checks(place: Placement = HERE) -> dg.AssetChecksDefinition:
    """All checks of the canonical tables."""
    names = {place.canonical(table): table for table in SOURCES}

    @dg.multi_asset_check(
        name=NAME,
        description="Examines the OpenFaith tables of one org: counts, links, edges and conflicts. Changes nothing.",
        specs=canonical_check_specs(place),
        can_subset=True,
    )
    def examine_tables(
        context: dg.AssetCheckExecutionContext, database: DatabaseResource
    ) -> Iterator[dg.AssetCheckResult]:
        chosen = {(names[key.asset_key], key.name) for key in context.selected_asset_check_keys}
        with database.database.connect() as connection:
            schema = database.database.settings.canonical_schema
            for table, rule, finding in examine_canonical(connection, context.partition_key, schema, chosen):
                yield dg.AssetCheckResult(asset_key=place.canonical(table), check_name=rule.name, **_result_of(finding))

    return examine_tables


def evaluations_of(database: Database, org_id: str) -> Iterator[dg.AssetCheckEvaluation]:
    """All of an org's checks as events, for a run that is not of its partition."""
    with database.connect() as connection:
        for table, rule, finding in examine_canonical(connection, org_id, database.settings.canonical_schema):
            yield dg.AssetCheckEvaluation(
                asset_key=HERE.canonical(table), check_name=rule.name, partition=org_id, **_result_of(finding)
            )


def _result_of(finding: Finding) -> dict[str, Any]:
    return {"passed": finding.passed, "severity": dg.AssetCheckSeverity.WARN, "metadata": dict(finding.counts)}
