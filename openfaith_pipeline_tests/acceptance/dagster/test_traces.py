"""One trace of a triggered sync: from the call through Dagster's run, a killed process and its retry, to the tables."""

from contextlib import suppress

import psutil
import pytest

from openfaith_pipeline.service.metrics.gauges import GAUGES
from openfaith_pipeline.service.metrics.request_counters import REQUEST_COUNTERS
from openfaith_pipeline.simulator.options import Latency
from openfaith_pipeline_tests.acceptance.dagster.deployment import Deployment
from openfaith_pipeline_tests.collector import Span

pytestmark = pytest.mark.slow

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
SYNC = "/workflows/ExternalSyncWorkflow"
WALK = ["people.households", "people.household_memberships"]


def visits(deployment: Deployment, org_id: str) -> int:
    return len(deployment.simulator.requests(org=org_id, stream="people.household_memberships"))


def test_it_is_whole_through_a_killed_process_and_its_retry(deployment: Deployment, org_id: str) -> None:
    deployment.simulator.set_latency(Latency(base_ms=250))
    payload = {"tokenKey": org_id, "adapter": "pco", "streams": WALK}
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
    status, asked = deployment.call("POST", SYNC, {"payload": payload}, headers=headers)
    assert status == 200, asked
    deployment.wait_until(lambda: visits(deployment, org_id) >= 3, "the walk", 120)
    for worker in deployment.workers():
        with suppress(psutil.NoSuchProcess):
            worker.kill()
    deployment.simulator.set_latency(Latency())

    path = f"{SYNC}/executions/{asked['executionId']}"
    deployment.wait_until(lambda: deployment.call("GET", path)[1]["finishedAt"], "the end of the sync", 180)
    assert deployment.call("GET", path)[1]["status"] == "succeeded"
    assert deployment.rows("pco_people.households", org_id) == deployment.truth("people.households", org_id)

    deployment.wait_until(lambda: "publish" in names(deployment), "the spans", 60)
    spans = deployment.collector.trace(TRACE)
    by_id = {span.span_id: span for span in spans}
    [call] = [span for span in spans if span.parent_id == CALLER]
    assert (call.name, call.resource["openfaith.role"]) == ("POST /workflows/{name}", "service")
    assert call.attributes["http.response.status_code"] == 200

    # The launches and ops of both runs belong to the call's trace; the killed process had already sent its spans.
    launches = [span for span in spans if span.name == "launch run"]
    assert {span.parent_id for span in launches} == {call.span_id}
    runs = {span.attributes["dagster.run_id"] for span in launches}
    assert len(runs) == 2
    [publish, *_] = [span for span in spans if span.name == "publish"]
    line = lineage(publish, by_id)
    assert [span.name for span in line] == ["publish", "stream", "sync", "op pco_people", call.name]
    assert line[3].attributes["dagster.run_id"] in runs
    assert {"stage page", "GET /people/v2"} <= {span.name for span in spans}
    request = next(span for span in spans if span.name == "GET /people/v2")
    assert request.attributes["url.path"].startswith("/people/v2/")
    assert request.attributes["http.response.status_code"] == 200
    assert {"openfaith.requests", "openfaith.waited_seconds"} <= request.attributes.keys()

    everything = b"".join(deployment.collector.raw)
    for person in deployment.simulator.truth(org_id, "people.people"):
        assert str(person["attributes"]["last_name"]).encode() not in everything


def test_the_service_sends_the_metrics_that_it_serves(deployment: Deployment) -> None:
    sent = GAUGES.keys() - {"openfaith_alerts_open"}  # it has a series for each kind of open alert, and there is none
    deployment.wait_until(lambda: deployment.collector.metrics.keys() >= sent, "the metrics", 60)
    [pool] = deployment.collector.metrics["openfaith_pool_size"]
    assert pool.as_int > 0
    churches = deployment.collector.metrics["openfaith_churches"]
    assert sum(point.as_int for point in churches) == len(deployment.org_ids)
    assert deployment.collector.metrics.keys() >= REQUEST_COUNTERS.keys()


def names(deployment: Deployment) -> set[str]:
    return {span.name for span in deployment.collector.trace(TRACE)}


def lineage(span: Span, by_id: dict[str, Span]) -> list[Span]:
    """The span, its parent, and so on."""
    line = [span]
    while line[-1].parent_id in by_id:
        line.append(by_id[line[-1].parent_id])
    return line
