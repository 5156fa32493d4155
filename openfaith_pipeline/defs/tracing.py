"""Runs and ops as spans of one trace, which a retry of a killed run continues.

The span's `traceparent` is a tag of the run: Dagster copies tags to the runs that retry it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from openfaith_pipeline.defs.run_tags import ORG_TAG, SYNC_ID_TAG, TRACEPARENT_TAG
from openfaith_pipeline.defs.storage import database_of
from openfaith_pipeline.telemetry.process import Role, telemetry
from openfaith_pipeline.telemetry.spans import continuing, current_traceparent, span


@contextmanager
def traced_op(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> Iterator[None]:
    """The span of one attempt at an op."""
    tags = context.run.tags
    attributes = {
        "dagster.run_id": context.run.run_id,
        "dagster.job": context.run.job_name,
        "dagster.retry": context.retry_number,
        **{
            f"openfaith.{name}": tags[tag]
            for name, tag in (("org_id", ORG_TAG), ("sync_id", SYNC_ID_TAG))
            if tag in tags
        },
    }
    with continuing(tags.get(TRACEPARENT_TAG)), span(f"op {context.op_def.name}", attributes):
        yield


@contextmanager
def traced_launch(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[None]:
    """The span of handing a run to a process; a run without a trace begins one here."""
    with (
        telemetry(database_of(instance).settings, Role.DAEMON),
        continuing(run.tags.get(TRACEPARENT_TAG)),
        span("launch run", {"dagster.run_id": run.run_id, "dagster.job": run.job_name}),
    ):
        if TRACEPARENT_TAG not in run.tags and (traceparent := current_traceparent()):
            instance.add_run_tags(run.run_id, {TRACEPARENT_TAG: traceparent})
        yield
