"""Spans reach a collector that listens, and nothing waits for one that does not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

TRACED = """
from opentelemetry import trace
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.telemetry import tracing
with tracing(load_settings()), trace.get_tracer("test").start_as_current_span("publish"):
    pass
"""


class _Collector(BaseHTTPRequestHandler):
    received: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        self.received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output for the tests."""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    received: list[tuple[str, bytes]] = []
    handler = type("Collector", (_Collector,), {"received": received})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()


def run(endpoint: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    return subprocess.run(
        [sys.executable, "-c", TRACED], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_spans_reach_the_collector_under_the_service_name(collector: tuple[str, list[tuple[str, bytes]]]) -> None:
    endpoint, received = collector
    done = run(endpoint)
    assert (done.returncode, done.stderr) == (0, "")
    [(path, body)] = received
    assert path == "/v1/traces"
    assert b"openfaith-workflow-engine" in body and b"publish" in body


def test_without_a_collector_nothing_is_said() -> None:
    done = run("http://127.0.0.1:9")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
