"""A collector of OpenTelemetry's data: receives traces, metrics and logs by OTLP, and keeps them for a test to read."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """A received span; ids in hexadecimal, parent_id empty for a root."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    linked_traces: tuple[str, ...]
    is_error: bool


@dataclass
class Collector:
    """The telemetry received. raw: every request body unparsed, for searching."""

    port: int = 0
    spans: list[Span] = field(default_factory=list, repr=False)
    metrics: dict[str, list[Any]] = field(default_factory=dict, repr=False)
    logs: list[tuple[str, str]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list, repr=False)
    lock: Lock = field(default_factory=Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def trace(self, trace_id: str) -> list[Span]:
        with self.lock:
            return [span for span in self.spans if span.trace_id == trace_id]

    def take(self, path: str, body: bytes) -> None:
        with self.lock:
            self.raw.append(body)
            {"/v1/traces": self._take_traces, "/v1/metrics": self._take_metrics, "/v1/logs": self._take_logs}[path](
                body
            )

    def _take_traces(self, body: bytes) -> None:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _mapping(group.resource.attributes)
            for span in (span for scope in group.scope_spans for span in scope.spans):
                self.spans.append(
                    Span(
                        span.name,
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        _mapping(span.attributes),
                        resource,
                        tuple(link.trace_id.hex() for link in span.links),
                        span.status.code == 2,
                    )
                )

    def _take_metrics(self, body: bytes) -> None:
        for group in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for metric in (metric for scope in group.scope_metrics for metric in scope.metrics):
                kind = metric.WhichOneof("data")
                self.metrics[metric.name] = list(getattr(metric, kind).data_points)

    def _take_logs(self, body: bytes) -> None:
        for group in ExportLogsServiceRequest.FromString(body).resource_logs:
            for record in (record for scope in group.scope_logs for record in scope.log_records):
                self.logs.append((record.body.string_value, record.trace_id.hex()))


def _mapping(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@contextmanager
def running_collector(port: int = 0) -> Iterator[Collector]:
    """A collector on loopback during the block."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.take(self.path, gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output for the tests."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        collector.port = server.server_port
        Thread(target=server.serve_forever, daemon=True).start()
        yield collector
        server.shutdown()
