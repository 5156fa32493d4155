"""How a person or a program speaks to a deployment: GraphQL of Dagster's webserver, HTTP of the service."""

import http.client
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from openfaith_pipeline.defs.instance import LOCATION_NAME

API_KEY = "planted-api-key-of-the-deployment"
UNFINISHED = {"QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"}

_REPOSITORY = {"repositoryLocationName": LOCATION_NAME, "repositoryName": "__repository__"}
_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_BACKFILL = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_RUNS = """query($filter: RunsFilter) { runsOrError(filter: $filter) { ... on Runs { results {
    runId status startTime endTime parentRunId tags { key value } } } } }"""
_SCHEDULE = """query($selector: ScheduleSelector!) { scheduleOrError(scheduleSelector: $selector) {
    ... on Schedule { scheduleState { id } } } }"""
_STOP = "mutation($id: String!) { stopRunningSchedule(id: $id) { __typename } }"
_START = "mutation($selector: ScheduleSelector!) { startSchedule(scheduleSelector: $selector) { __typename } }"


class Interfaces(ABC):
    """url: of Dagster's webserver, on this machine as the service is."""

    url: str

    @property
    @abstractmethod
    def service_port(self) -> int: ...

    @abstractmethod
    def wait_until(self, is_so: Callable[[], object], what: str, seconds: float = 120) -> None: ...

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
        connection = http.client.HTTPConnection("127.0.0.1", self.service_port, timeout=30)
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

    def launches(self, org_id: str, *assets: str) -> bool:
        """Whether a run is queued for the asking."""
        with suppress(AssertionError):
            self.launch(org_id, *assets)
            return True
        return False

    def launch_sweep(self) -> str:
        """Queue a sweep, as the UI does; its id."""
        return self._launch_job("pco_sweep", {}, {})

    @contextmanager
    def stopped(self, schedule: str) -> Iterator[None]:
        """The schedule is off, as if switched in the UI, and none of its runs is under way."""
        selector = {**_REPOSITORY, "scheduleName": schedule}
        state = self.ask(_SCHEDULE, selector=selector)["scheduleOrError"]["scheduleState"]
        stopped = self.ask(_STOP, id=state["id"])["stopRunningSchedule"]
        assert stopped["__typename"] == "ScheduleStateResult", stopped
        own = {"tags": [{"key": "dagster/schedule_name", "value": schedule}], "statuses": sorted(UNFINISHED)}
        self.wait_until(lambda: not self.runs(**own), f"the end of the runs of the schedule {schedule}")
        try:
            yield
        finally:  # the tests after it share the deployment
            started = self.ask(_START, selector=selector)["startSchedule"]
        assert started["__typename"] == "ScheduleStateResult", started

    def launch_job(self, job: str, config: Mapping[str, Any], *, op: str, partition: str | None = None) -> str:
        """Queue a run of a job of one op with this config, as the UI does; its id."""
        tags = {"dagster/partition": partition} if partition else {}
        return self._launch_job(job, {"ops": {op: {"config": config}}}, tags)

    def _launch_job(self, job: str, run_config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        params = {
            "selector": {**_REPOSITORY, "jobName": job},
            "runConfigData": run_config,
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
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
