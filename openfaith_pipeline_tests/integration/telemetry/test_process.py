"""A process sends its telemetry where a collector listens, also one that comes later, and waits for none."""

import os
import subprocess
import sys
import time

import psutil

from openfaith_pipeline_tests.acceptance.dagster.processes import free_port
from openfaith_pipeline_tests.collector import running_collector

SENDING = """
import logging, sys
from opentelemetry import metrics
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.telemetry import process
from openfaith_pipeline.telemetry.process import Role, telemetry
from openfaith_pipeline.telemetry.spans import span
process.LOOK_SECONDS = 0.05
counter = metrics.get_meter("test").create_counter("openfaith_test")
with telemetry(load_settings(), Role.RUN):
    print("begun", flush=True)
    sys.stdin.readline()
    counter.add(3)
    try:
        with span("publish", {"openfaith.rows": 2}):
            logging.getLogger("openfaith_pipeline.test").warning("three rows are late")
            raise ValueError("ann@example.org")
    except ValueError:
        logging.getLogger("openfaith_pipeline.test").exception("it failed")
"""


def started(endpoint: str, **variables: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **variables}
    pipe = subprocess.PIPE
    program = [sys.executable, "-c", SENDING]
    process = subprocess.Popen(program, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert process.stdout and process.stdout.readline() == "begun\n"
    return process


def test_traces_metrics_and_logs_reach_the_collector_without_any_exceptions_text() -> None:
    with running_collector() as collector:
        _, errors = started(collector.url, OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test").communicate("\n")
    [span] = collector.spans
    assert (span.name, span.attributes["openfaith.rows"], span.attributes["error.type"]) == ("publish", 2, "ValueError")
    assert span.is_error
    assert span.resource["service.name"] == "openfaith-workflow-engine"
    assert span.resource["openfaith.role"] == "run"
    assert span.resource["deployment.environment"] == "test"
    assert span.resource["service.version"] and span.resource["service.instance.id"]
    assert [point.as_int for point in collector.metrics["openfaith_test"]] == [3]
    assert [text for text, _ in collector.logs] == ["three rows are late", "it failed"]
    assert [trace_id for _, trace_id in collector.logs] == [span.trace_id, ""]
    assert b"ann@example.org" not in b"".join(collector.raw)
    assert "Traceback" in errors  # which belongs to the process's own log


def test_a_collector_that_comes_later_is_found() -> None:
    port = free_port()
    process = started(f"http://127.0.0.1:{port}")
    with running_collector(port) as collector:
        _wait_for_sdk(process)
        process.communicate("\n")
    assert [span.name for span in collector.spans] == ["publish"]


def _wait_for_sdk(process: subprocess.Popen[str]) -> None:
    """Until the process has imported the SDK, seen by its threads: those of the batches."""
    until = time.monotonic() + 20
    while psutil.Process(process.pid).num_threads() < 4 and time.monotonic() < until:
        time.sleep(0.05)


def test_without_a_collector_nothing_is_sent_and_nothing_is_said() -> None:
    process = started("http://127.0.0.1:9", OTEL_LOGS_EXPORTER="none")
    _, errors = process.communicate("\n")
    assert process.returncode == 0
    assert "opentelemetry" not in errors.lower() and "otlp" not in errors.lower()


def test_a_collector_that_goes_away_is_no_trouble() -> None:
    with running_collector() as collector:
        process = started(collector.url)
    _, errors = process.communicate("\n", timeout=20)
    assert (process.returncode, collector.spans) == (0, [])
    assert "opentelemetry" not in errors.lower() and "retry" not in errors.lower()


def test_each_signal_can_be_switched_off_by_the_standard_variables() -> None:
    with running_collector() as collector:
        started(collector.url, OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none").communicate("\n")
        assert [span.name for span in collector.spans] == ["publish"]
        assert (collector.metrics, collector.logs) == ({}, [])
        started(collector.url, OTEL_SDK_DISABLED="true").communicate("\n")
    assert len(collector.spans) == 1


def test_the_services_name_is_the_standard_variables() -> None:
    with running_collector() as collector:
        started(collector.url, OTEL_SERVICE_NAME="grace-sync").communicate("\n")
    assert collector.spans[0].resource["service.name"] == "grace-sync"


def test_an_exporter_that_is_not_supported_is_reported() -> None:
    with running_collector() as collector:
        _, errors = started(collector.url, OTEL_TRACES_EXPORTER="zipkin").communicate("\n")
    assert "OTEL_TRACES_EXPORTER: 'zipkin' is not supported" in errors
    assert collector.spans == []
