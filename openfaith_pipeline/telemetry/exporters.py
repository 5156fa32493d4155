"""OpenTelemetry's SDK, set up for this process. Imported only if a collector listens: it takes a third of a second.

The exporters send nothing, and say nothing, while the collector does not listen: a collector that goes away costs the
telemetry of that time, and neither retries nor lines in the log.
"""

import logging
import os
import socket
from collections.abc import Callable, Collection, Sequence
from importlib.metadata import version
from typing import Any, Final

import requests
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from openfaith_pipeline.telemetry.collector import Collector, Signal
from openfaith_pipeline.telemetry.logs import LogHandler

SERVICE_NAME: Final = "openfaith-workflow-engine"
OUR_LOGGER: Final = "openfaith_pipeline"

_TIMEOUT_SECONDS: Final = 5.0


class _Spans(OTLPSpanExporter):
    collector: Collector

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return super().export(spans) if self.collector.is_listening(Signal.TRACES) else SpanExportResult.FAILURE


class _Metrics(OTLPMetricExporter):
    collector: Collector

    def export(self, metrics_data: MetricsData, timeout_millis: float | None = None, **more: Any) -> MetricExportResult:
        if not self.collector.is_listening(Signal.METRICS):
            return MetricExportResult.FAILURE
        return super().export(metrics_data, timeout_millis, **more)


class _Logs(OTLPLogExporter):
    collector: Collector

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        return super().export(batch) if self.collector.is_listening(Signal.LOGS) else LogRecordExportResult.FAILURE


def start(collector: Collector, signals: Collection[Signal], role: str) -> Callable[[int], None]:
    """Set up the signals for this process, once. Returns a function that sends everything, within milliseconds."""
    resource = _resource(role)
    flushes: list[Callable[[int], Any]] = []
    if Signal.TRACES in signals:
        tracers = TracerProvider(resource=resource)
        tracers.add_span_processor(BatchSpanProcessor(_exporter(_Spans, collector, Signal.TRACES)))
        trace.set_tracer_provider(tracers)
        flushes.append(tracers.force_flush)
    if Signal.METRICS in signals:
        reader = PeriodicExportingMetricReader(_exporter(_Metrics, collector, Signal.METRICS))
        meters = MeterProvider([reader], resource=resource)
        metrics.set_meter_provider(meters)
        flushes.append(meters.force_flush)
    if Signal.LOGS in signals:
        loggers = LoggerProvider(resource=resource)
        loggers.add_log_record_processor(BatchLogRecordProcessor(_exporter(_Logs, collector, Signal.LOGS)))
        logging.getLogger(OUR_LOGGER).addHandler(LogHandler(loggers.get_logger(OUR_LOGGER)))
        flushes.append(loggers.force_flush)

    def flush(milliseconds: int) -> None:
        if collector.is_listening():
            for each in flushes:
                each(milliseconds)

    return flush


def _exporter(kind: Any, collector: Collector, signal: Signal) -> Any:
    """An exporter through the configured proxy: requests by itself would log an invalid proxy variable."""
    session = requests.Session()
    session.trust_env = False
    if collector.proxy:
        session.proxies = {"http": collector.proxy, "https": collector.proxy}
    exporter = kind(
        endpoint=collector.url_for(signal),
        timeout=_TIMEOUT_SECONDS,
        session=session,
        certificate_file=collector.certificates_for(signal),
    )
    exporter.collector = collector
    return exporter


def _resource(role: str) -> Resource:
    """OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over our own attributes."""
    own = {
        "service.name": SERVICE_NAME,
        "service.version": version("openfaith-pipeline"),
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
        "openfaith.role": role,
    }
    return Resource.create().merge(Resource(own)).merge(OTELResourceDetector().detect())
