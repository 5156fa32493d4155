"""Dagster as it is deployed: code server, webserver and daemon over a real database, and a simulator to sync from."""

import http.client
import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from pydantic import SecretStr

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
from openfaith_pipeline.orgs.cipher import cipher_from
from openfaith_pipeline.orgs.registry import add_org
from openfaith_pipeline.planning_center import PersonalAccessToken
from openfaith_pipeline.settings import environment_with
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
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
class Deployment:
    """The running processes, and how a person or a program speaks to them."""

    database: Database
    simulator: SimulatorClient
    org_ids: Sequence[str]
    url: str
    directory: Path
    specs: dict[str, ProcessSpec]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        spec = self.specs[name]
        with (self.directory / f"{name.replace(' ', '-')}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(spec.command, env=spec.environment, stdout=log, stderr=log)

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

    def kill(self, name: str) -> None:
        """End the process as a crash would."""
        self.processes[name].kill()
        self.processes[name].wait()

    def restart(self, name: str) -> None:
        self.start(name)
        if self.specs[name].port:
            self.wait_until(lambda: _answers(self.specs[name].port or 0), f"the {name}")

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

    def backfill(self, org_ids: Sequence[str], *assets: str) -> str:
        """Launch a backfill of these assets over orgs, as the UI does; its id."""
        paths = [{"path": asset.split("/")} for asset in assets]
        answer = self.ask(_BACKFILL, params={"assetSelection": paths, "partitionNames": list(org_ids)})
        launched = answer["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return str(launched["backfillId"])

    def runs(self, **wanted: Any) -> list[dict[str, Any]]:
        """Runs by a RunsFilter, newest first; their tags as a mapping."""
        found = self.ask(_RUNS, filter=wanted)["runsOrError"]["results"]
        return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def run(self, run_id: str) -> dict[str, Any]:
        return self.runs(runIds=[run_id])[0]

    def finished(self, run_id: str, seconds: float = 60) -> dict[str, Any]:
        """The run once it has ended."""
        self.wait_until(lambda: self.run(run_id)["status"] not in UNFINISHED, f"the end of run {run_id}", seconds)
        return self.run(run_id)

    def wait_until(self, is_so: Callable[[], object], what: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, f"waited {seconds} s for {what}; logs are in {self.directory}"
            time.sleep(0.2)

    def rows(self, table: str, org_id: str) -> set[str]:
        """Ids of the org's rows in a raw table."""
        with self.database.connect() as connection:
            return {row[0] for row in connection.execute(f"SELECT id FROM {table} WHERE org_id = %s", (org_id,))}  # noqa: S608

    def truth(self, stream: str, org_id: str) -> set[str]:
        """Ids of the records that the simulator has."""
        return {str(record["id"]) for record in self.simulator.truth(org_id, stream)}

    def workers(self) -> list[psutil.Process]:
        """The processes that execute runs, children of the code server."""
        children = psutil.Process(self.processes["code server"].pid).children(recursive=True)
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]

    def end(self) -> None:
        for process in reversed(self.processes.values()):
            _end(process)


@contextmanager
def running_dagster(database: Database, environment: Mapping[str, str], directory: Path) -> Iterator[Deployment]:
    """Everything of it, sixteen made-up churches connected; the processes end with the block."""
    churches = made_up_churches(16, people=PEOPLE)
    with ExitStack() as stack:
        simulator = stack.enter_context(running_simulator(churches))
        settings = database.settings.model_copy(update={"pco_api_url": simulator.url})
        database = replace(database, settings=settings)
        with database.connect() as connection:
            for church in churches:
                token = simulator.credentials(church.org_id)
                credentials = PersonalAccessToken(token.app_id, SecretStr(token.secret))
                add_org(connection, cipher_from(settings), church.org_id, church.name, credentials)
                # The schedules run; what they would sync of their own accord is not what a test looks at.
                connection.execute(
                    "INSERT INTO sync.org_schedules (org_id, kind, next_at)"
                    " SELECT %s, kind, now() + interval '1 day' FROM unnest(ARRAY['incremental', 'reconcile']) AS kind",
                    (church.org_id,),
                )
        with open_instance(settings, database) as instance:
            align_partitions(instance, [church.org_id for church in churches])
        found_by = {**environment, **prepare_dagster_home(settings, database), "PCO_API_URL": simulator.url}
        code_port, web_port = _free_port(), _free_port()
        specs = (
            code_server(found_by, code_port),
            webserver(found_by, web_port, code_port),
            daemon(found_by, code_port),
            _service(found_by, _free_port()),
        )
        deployment = Deployment(
            database,
            simulator,
            [church.org_id for church in churches],
            f"http://127.0.0.1:{web_port}",
            directory,
            {spec.name: spec for spec in specs},
        )
        stack.callback(deployment.end)
        for spec in specs:
            deployment.start(spec.name)
            if spec.port:
                deployment.wait_until(lambda port=spec.port: _answers(port), f"the {spec.name}")  # type: ignore[misc]
        yield deployment


def _service(environment: Mapping[str, str], port: int) -> ProcessSpec:
    command = (*PROGRAM, "serve", "--port", str(port))
    return ProcessSpec("service", command, environment_with(**environment, OPENFAITH_API_KEYS=f"app:{API_KEY}"), port)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex(("127.0.0.1", port)) == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, then SIGKILL to it and its children: a code server waits long for clients that stream."""
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in children:
        if child.is_running():
            child.kill()
