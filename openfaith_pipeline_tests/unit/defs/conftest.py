"""Runs with a fake engine whose results the test sets; no database, no network."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.checks import Finding, Rule
from openfaith_pipeline.defs.jobs import SYNC_JOB
from openfaith_pipeline.defs.location import definitions
from openfaith_pipeline.defs.resources import Glance
from openfaith_pipeline.defs.run_tags import RequestPart
from openfaith_pipeline.sync.results import StreamResult, SyncMode
from openfaith_pipeline.transform import TransformResult

ORG_ID = "org_01k5t0w2m1e9qv4y8z3n7b6c5d"

Attempt = Callable[[Stream], StreamResult]


def succeeded(stream: Stream) -> StreamResult:
    return StreamResult(stream.name, "succeeded", "incremental", fetched=7, inserted=3, requests=2, row_count=70)


@dataclass
class FakeEngine:
    """Stands in for `SyncEngine`. Each call of `sync` uses the next attempt, and repeats the last one.

    asked, transformed: the arguments of its calls.
    """

    attempts: list[Attempt] = field(default_factory=lambda: [succeeded])
    findings: dict[str, Finding] = field(default_factory=dict)
    connected: list[str] = field(default_factory=lambda: [ORG_ID])
    asked: list[tuple[RequestPart, list[str], SyncMode]] = field(default_factory=list)
    transformed: list[list[str]] = field(default_factory=list)
    canonical_schema: str = "public"

    def sync(self, request: RequestPart, streams: Sequence[Stream], mode: SyncMode) -> dict[str, StreamResult]:
        self.asked.append((request, [stream.name for stream in streams], mode))
        attempt = self.attempts.pop(0) if len(self.attempts) > 1 else self.attempts[0]
        return {stream.name: attempt(stream) for stream in streams}

    def transform(self, _request: RequestPart, tables: Collection[str]) -> dict[str, TransformResult]:
        self.transformed.append(list(tables))
        return {table: TransformResult(table, 5, 4, 3, 50) for table in tables}

    def look_at(self, stream: Stream, _org_id: str, rules: Collection[Rule], _limit: int) -> Glance:
        found = self.findings.get(stream.name, Finding(True, {}))
        return Glance({rule.name: found for rule in rules}, [{"id": "1", "person_id": None}])

    def name_of(self, _org_id: str) -> str:
        return "Amber Chapel"

    def org_ids(self) -> list[str]:
        return self.connected


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("org", [ORG_ID])
        yield instance


@pytest.fixture
def run_assets(
    engine: FakeEngine, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dg.JobExecutionResult]:
    """Runs assets, named as `pco_people/emails`, for one org, or everything; attempts follow at once."""
    monkeypatch.setattr("openfaith_pipeline.defs.op_errors._FIRST_REST_SECONDS", 0)
    ours = definitions()
    defs = dg.Definitions(ours.assets, jobs=[SYNC_JOB], executor=ours.executor, resources={"engine": engine})
    job = defs.resolve_job_def("pco_sync")

    def run(
        *assets: str, tags: Mapping[str, str] | None = None, ops: Mapping[str, Any] | None = None, **creation: Any
    ) -> dg.JobExecutionResult:
        run = instance.create_run_for_job(
            job,
            run_config={"ops": ops or {}, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            asset_selection={dg.AssetKey.from_user_string(asset) for asset in assets} or None,
            tags={"dagster/partition": ORG_ID, **(tags or {})},
            **creation,
        )
        return execute_run(InMemoryJob(job), run, instance)

    return run
