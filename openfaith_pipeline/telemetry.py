"""Traces to an OpenTelemetry collector, where one listens: each request to Planning Center and each published stream.

Spans carry method, path without query, status, stream and counts: no personal data and no credentials.
"""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from opentelemetry import trace

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.network.certificates import certificates_named
from openfaith_pipeline.network.proxies import proxy_of
from openfaith_pipeline.settings import Settings, shared_variable

if TYPE_CHECKING:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

SERVICE_NAME: Final = "openfaith-workflow-engine"
_PROBE_SECONDS: Final = 0.2
_FLUSH_MILLISECONDS: Final = 3000

_log = logging.getLogger(__name__)


@contextmanager
def tracing(settings: Settings) -> Iterator[None]:
    """Send the block's spans to `OTEL_EXPORTER_OTLP_ENDPOINT`; without a collector there, tracing costs nothing."""
    try:
        proxy = proxy_of(settings.otlp_endpoint)
    except ConfigurationError as error:
        _log.warning("no traces are sent: %s", error)
        yield
        return
    if proxy is None and not _is_listening(settings.otlp_endpoint):
        yield
        return
    # The SDK takes a third of a second to import, and most installations have no collector.
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):  # one for each process, whoever comes first
        provider = TracerProvider(resource=Resource.create({"service.name": SERVICE_NAME}))
        provider.add_span_processor(BatchSpanProcessor(_exporter(settings.otlp_endpoint, proxy)))
        trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.force_flush(_FLUSH_MILLISECONDS)


def _exporter(endpoint: str, proxy: str | None) -> "OTLPSpanExporter":
    """Sends spans through the configured proxy; requests itself would log an invalid proxy variable."""
    import requests  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    session = requests.Session()
    session.trust_env = False
    if proxy:
        session.proxies = {"http": proxy, "https": proxy}
    own = None if shared_variable("OTEL_EXPORTER_OTLP_CERTIFICATE") else certificates_named()
    return OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=5, session=session, certificate_file=own)


def _is_listening(endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=_PROBE_SECONDS):
            return True
    except OSError:
        return False
