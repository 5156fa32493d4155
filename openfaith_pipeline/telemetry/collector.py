"""The collector: where it is, which signals it is sent, and whether it listens."""

import logging
import socket
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from openfaith_pipeline.network.certificates import certificates_named
from openfaith_pipeline.network.proxies import proxy_of
from openfaith_pipeline.settings import Settings, shared_variable

_PROBE_SECONDS: Final = 0.2

_log = logging.getLogger(__name__)


class Signal(StrEnum):
    """A kind of telemetry, named as in its variables and in its path."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"


@dataclass(frozen=True)
class Collector:
    """Where telemetry is sent. proxy: on the way there, with user and password in it."""

    endpoint: str
    proxy: str | None

    @classmethod
    def of(cls, settings: Settings) -> "Collector":
        """The configured collector. Raises ConfigurationError for a proxy that cannot be used."""
        return cls(settings.otlp_endpoint, proxy_of(settings.otlp_endpoint))

    def url_for(self, signal: Signal) -> str:
        """URL of the signal: its own variable, or its path under the endpoint of all (OpenTelemetry, OTLP exporter)."""
        own = shared_variable(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
        return own[1] if own else f"{self.endpoint.rstrip('/')}/v1/{signal}"

    def certificates_for(self, signal: Signal) -> str | None:
        """Our own bundle, unless the exporter finds one by its own variables."""
        theirs = ("OTEL_EXPORTER_OTLP_CERTIFICATE", f"OTEL_EXPORTER_OTLP_{signal.upper()}_CERTIFICATE")
        return None if any(map(shared_variable, theirs)) else certificates_named()

    def is_listening(self, signal: Signal = Signal.TRACES) -> bool:
        """Whether a connection can be made now. One behind a proxy is assumed to listen."""
        if self.proxy is not None:
            return True
        parts = urlsplit(self.url_for(signal))
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            with socket.create_connection((parts.hostname or "", port), timeout=_PROBE_SECONDS):
                return True
        except (OSError, ValueError):
            return False


def wanted_signals() -> frozenset[Signal]:
    """The signals that OTEL_SDK_DISABLED and OTEL_*_EXPORTER leave enabled. The exporters are `otlp` and `none`."""
    disabled = shared_variable("OTEL_SDK_DISABLED")
    if disabled and disabled[1].lower() == "true":
        return frozenset()
    return frozenset(signal for signal in Signal if _is_wanted(signal))


def _is_wanted(signal: Signal) -> bool:
    found = shared_variable(f"OTEL_{signal.upper()}_EXPORTER")
    if found is None or found[1] == "otlp":
        return True
    if found[1] != "none":
        _log.warning("%s: %r is not supported, only otlp and none are; no %s are sent", found[0], found[1], signal)
    return False
