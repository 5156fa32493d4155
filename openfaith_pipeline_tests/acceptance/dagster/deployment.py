"""Dagster as it is deployed: code server, webserver and daemon over a real database, and a simulator to sync from."""

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.instance import (
    LOCATION_NAME,
    ProcessSpec,
    code_server,
    daemon,
    open_instance,
    prepare_dagster_home,
    webserver,
)
from openfaith_pipeline.defs.partitions import align_partitions
from openfaith_pipeline.planning_center import PersonalAccessToken
from openfaith_pipeline.settings import environment_with
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline_tests.acceptance.dagster.processes import Processes, free_port
from openfaith_pipeline_tests.collector import Collector, running_collector
from openfaith_pipeline_tests.verbs import PROGRAM

PEOPLE = 60
API_KEY = "planted-api-key-of-the-deployment"
UNFINISHED = {"QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"}

_REPOSITORY = {"repositoryLocationName": LOCATION_NAME, "repositoryName": "__repository__"}
_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_BACKFILL = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_RUNS = """query($filter: RunsFilter) { runsOrError(filter: $filter) { ... on Runs { results {
    runId status startTime endTime parentRunId tags { key value } } } } }"""


@dataclass
class Deployment(Processes):
    """The running processes, and how a person or a program speaks to them."""

    database: Database
    simulator: SimulatorClient
    org_ids: Sequence[str]
    url: str
    collector: Collector

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of a GraphQL answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        connection.request("POST", "/graphql", body, {"content-type": "application/json"})
        answer = json.load(connection.getresponse())
        connection.close()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def call(
        self, method: str, path: str, body: Any = None, *, key: str = API_KEY, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """The status and the JSON of the service's answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.specs["service"].port or 0, timeout=30)
        sent = {"authorization": f"Bearer {key}", "content-type": "application/json", **(headers or {})}
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        answer = connection.getresponse()
        told = answer.status, json.loads(answer.read() or b"null")
        connection.close()
        return told

    def launch(self, org_id: str, *assets: str, tags: Mapping[str, str] | None = None) -> str:
        """Queue a run of these assets of one org, as the UI does; its id."""
        params = {
            "selector": {
                **_REPOSITORY,
                "jobName": "__ASSET_JOB",
                "assetSelection": [{"path": asset.split("/")} for asset in assets],
            },
            "runConfigData": {},
            "executionMetadata": {
                "tags": [{"key": k, "value": v} for k, v in {"dagster/partition": org_id, **(tags or {})}.items()]
            },
        }
        answer = self.ask(_LAUNCH, params=params)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def launch_sweep(self) -> str:
        """Queue a sweep, as the UI does; its id."""
        params = {
            "selector": {**_REPOSITORY, "jobName": "pco_sweep"},
            "runConfigData": {},
            "executionMetadata": {"tags": []},
        }
        answer = self.ask(_LAUNCH, params=params)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def backfill(self, org_ids: Sequence[str], *assets: str, run_config: Mapping[str, Any] | None = None) -> str:
        """Launch a backfill of these assets over orgs, as the UI does; its id."""
        paths = [{"path": asset.split("/")} for asset in assets]
        params = {"assetSelection": paths, "partitionNames": list(org_ids), "runConfigData": dict(run_config or {})}
        answer = self.ask(_BACKFILL, params=params)
        launched = answer["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return str(launched["backfillId"])

    def runs(self, **wanted: Any) -> list[dict[str, Any]]:
        """Runs by a RunsFilter, newest first; their tags as a mapping."""
        found = self.ask(_RUNS, filter=wanted)["runsOrError"]["results"]
        return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def run(self, run_id: str) -> dict[str, Any]:
        return self.runs(runIds=[run_id])[0]

    def finished(self, run_id: str, seconds: float = 120) -> dict[str, Any]:
        """The run once it has ended."""
        self.wait_until(lambda: self.run(run_id)["status"] not in UNFINISHED, f"the end of run {run_id}", seconds)
        return self.run(run_id)

    def rows(self, table: str, org_id: str) -> set[str]:
        """Ids of the org's rows in a raw table."""
        with self.database.connect() as connection:
            return {row[0] for row in connection.execute(f"SELECT id FROM {table} WHERE org_id = %s", (org_id,))}  # noqa: S608

    def truth(self, stream: str, org_id: str) -> set[str]:
        """Ids of the records that the simulator has."""
        return {str(record["id"]) for record in self.simulator.truth(org_id, stream)}


@contextmanager
def running_dagster(database: Database, environment: Mapping[str, str], directory: Path) -> Iterator[Deployment]:
    """Everything of it, sixteen made-up churches connected; the processes end with the block."""
    churches = made_up_churches(16, people=PEOPLE)
    with ExitStack() as stack:
        simulator = stack.enter_context(running_simulator(churches))
        collector = stack.enter_context(running_collector())
        settings = database.settings.model_copy(update={"api_url": simulator.url})
        database = replace(database, settings=settings)
        with database.connect() as connection:
            for church in churches:
                token = simulator.credentials(church.org_id)
                credentials = PersonalAccessToken(token.app_id, SecretStr(token.secret))
                add_org(connection, cipher_from(settings), church.org_id, church.name, credentials, adapter="pco")
                # The schedules run, but no church is due: a scheduled sync would disturb the test.
                connection.execute(
                    "INSERT INTO sync.org_schedules (org_id, kind, next_at)"
                    " SELECT %s, kind, now() + interval '1 day' FROM unnest(ARRAY['incremental', 'reconcile']) AS kind",
                    (church.org_id,),
                )
        with open_instance(settings, database) as instance:
            align_partitions(instance, [church.org_id for church in churches])
        found_by = {**environment, **prepare_dagster_home(settings, database), "PCO_API_URL": simulator.url}
        found_by |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_METRIC_EXPORT_INTERVAL": "5000"}
        code_port, web_port = free_port(), free_port()
        specs = (
            code_server(found_by, code_port),
            webserver(found_by, web_port, code_port),
            daemon(found_by, code_port),
            _service(found_by, free_port()),
        )
        deployment = Deployment(
            directory,
            {spec.name: spec for spec in specs},
            database,
            simulator,
            [church.org_id for church in churches],
            f"http://127.0.0.1:{web_port}",
            collector,
        )
        stack.callback(deployment.end)
        for spec in specs:
            deployment.restart(spec.name)
        yield deployment


def _service(environment: Mapping[str, str], port: int) -> ProcessSpec:
    command = (*PROGRAM, "serve", "--port", str(port))
    return ProcessSpec("service", command, environment_with(**environment, OPENFAITH_API_KEYS=f"app:{API_KEY}"), port)
