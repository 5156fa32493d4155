"""The raw tables as assets: one for each stream of the catalog, one op for each product."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import dagster as dg

from openfaith_pipeline.catalog.source import Product
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.checks import Finding, rules_for
from openfaith_pipeline.defs.asset_metadata import (
    describe_stream,
    product_title,
    raw_columns,
    stream_metadata,
)
from openfaith_pipeline.defs.compensation import rollback_events
from openfaith_pipeline.defs.op_errors import RETRY_POLICY, acted_on
from openfaith_pipeline.defs.placement import HERE, Placement
from openfaith_pipeline.defs.resources import SyncEngine
from openfaith_pipeline.defs.run_tags import RequestPart, SyncConfig, request_of
from openfaith_pipeline.errors import CheckFailed, SyncFailed, SyncIncomplete
from openfaith_pipeline.sources import STREAMS, streams_of
from openfaith_pipeline.sync.compensation import Compensation
from openfaith_pipeline.sync.results import StreamResult

PREVIEW_ROWS: Final = 5
OWNERS: Final = ("team:openfaith",)
"""Owners that Dagster shows for each asset: the team that runs this code location."""


def asset_spec(stream: Stream, place: Placement = HERE) -> dg.AssetSpec:
    """The asset of one stream."""
    return dg.AssetSpec(
        key=place.raw(stream),
        deps=[place.raw(STREAMS[parent]) for parent in stream.parents],
        group_name=place.group or stream.schema,
        kinds={stream.product.source.kind, "postgres"},
        owners=OWNERS,
        description=describe_stream(stream),
        metadata={
            "dagster/table_name": stream.raw_table,
            "dagster/column_schema": raw_columns(stream),
        },
        skippable=True,
        partitions_def=place.partitions,
    )


def check_specs(stream: Stream, place: Placement = HERE) -> list[dg.AssetCheckSpec]:
    """Specs of the checks of one stream's asset, one for each rule that applies to it."""
    return [
        dg.AssetCheckSpec(
            rule.name,
            asset=place.raw(stream),
            description=rule.description,
            blocking=rule.is_blocking,
            partitions_def=place.partitions,
        )
        for rule in rules_for(stream)
    ]


def product_assets(
    product: Product, place: Placement = HERE, chosen: Collection[Stream] | None = None
) -> dg.AssetsDefinition:
    """The streams of one product, read by an op named after its schema.

    Any selection of them is one op, and so one event loop under one rate budget. chosen: None for all.
    """
    streams = {place.raw(stream): stream for stream in streams_of(product) if chosen is None or stream in chosen}

    @dg.multi_asset(
        name=product.schema,
        description=f"Reads {product_title(product)} into the tables of `{product.schema}`.",
        specs=[asset_spec(stream, place) for stream in streams.values()],
        check_specs=[spec for stream in streams.values() for spec in check_specs(stream, place)],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        retry_policy=RETRY_POLICY,
    )
    def sync_product(
        context: dg.AssetExecutionContext, config: SyncConfig, engine: SyncEngine
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        selected = [stream for key, stream in streams.items() if key in context.selected_asset_keys]
        if not selected:  # checks alone
            yield from _examine(context, engine, streams)
            return
        with acted_on(context):
            request = request_of(context, engine.name_of)
            results = engine.sync(request, selected, config.mode)
            reporter = _Reporter(context, engine, place, request)
            for stream in selected:
                yield from reporter.report(stream, results[stream.name])
            _raise_for(results.values())

    return sync_product


def _examine(
    context: dg.AssetExecutionContext, engine: SyncEngine, streams: Mapping[dg.AssetKey, Stream]
) -> Iterator[dg.AssetCheckResult]:
    """The selected checks, of rows that were published before."""
    with acted_on(context):
        for key, stream in streams.items():
            names = {check.name for check in context.selected_asset_check_keys if check.asset_key == key}
            rules = [rule for rule in rules_for(stream) if rule.name in names]
            if rules:
                glance = engine.look_at(stream, context.partition_key, rules, 0)
                yield from _check_results(key, glance.findings)


@dataclass(frozen=True)
class _Reporter:
    """Reports one org's results to Dagster."""

    context: dg.AssetExecutionContext
    engine: SyncEngine
    place: Placement
    request: RequestPart

    def report(self, stream: Stream, result: StreamResult) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        key = self.place.raw(stream)
        if result.compensation:
            yield from self._report_compensation(key, result.compensation)
        if result.status == "failed":
            return
        if result.is_withheld:
            self.context.log.warning(f"{stream.name} is withheld by {stream.product.source.title}: {result.error}")
        if result.held:
            self.context.log.warning(f"{result.error}")
        # A withheld stream is reported too: its table has everything that is available, and assets made from several
        # streams can proceed without it.
        org_id, sync_id, church = self.request.org_id, self.request.sync_id, self.request.church
        glance = self.engine.look_at(stream, org_id, rules_for(stream), PREVIEW_ROWS)
        metadata = stream_metadata(stream, result, sync_id, church, glance.preview)
        self.context.add_asset_metadata(metadata=metadata, asset_key=key, partition_key=org_id)
        yield dg.MaterializeResult(asset_key=key, check_results=_check_results(key, glance.findings))

    def _report_compensation(self, key: dg.AssetKey, compensation: Compensation) -> Iterator[dg.AssetCheckResult]:
        """Report the check that failed, and the rollback that followed."""
        names = {self.request.org_id: self.request.church}
        for event in rollback_events(compensation.order, compensation.undone, names, self.place):
            self.context.log_event(event)
        if compensation.check and compensation.finding:
            yield dg.AssetCheckResult(
                asset_key=key,
                check_name=compensation.check,
                passed=False,
                severity=dg.AssetCheckSeverity.ERROR,
                description=compensation.reason,
                metadata=dict(compensation.finding.counts),
            )


def _check_results(key: dg.AssetKey, findings: Mapping[str, Finding]) -> list[dg.AssetCheckResult]:
    return [
        dg.AssetCheckResult(
            asset_key=key,
            check_name=name,
            passed=finding.passed,
            severity=dg.AssetCheckSeverity.WARN,
            metadata=dict(finding.counts),
        )
        for name, finding in findings.items()
    ]


def _raise_for(results: Iterable[StreamResult]) -> None:
    unsynced = [result for result in results if result.is_unsynced]
    if unsynced:
        message = "; ".join(f"{result.stream} {result.status}: {result.error}" for result in unsynced)
        if all(result.compensation for result in unsynced):
            raise CheckFailed(message)
        has_failed = any(result.status == "failed" for result in unsynced)
        raise SyncFailed(message) if has_failed else SyncIncomplete(message)
