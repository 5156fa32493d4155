"""`GET /metrics`: read at most every few seconds, however many scrape."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from psycopg_pool import ConnectionPool

from openfaith_pipeline.errors import DatabaseUnavailable
from openfaith_pipeline.service.access import Visitor, visitor_with
from openfaith_pipeline.service.api_keys import READ
from openfaith_pipeline.service.health import read_readiness
from openfaith_pipeline.service.metrics.durations import Durations
from openfaith_pipeline.service.metrics.gauges import read_gauges
from openfaith_pipeline.service.metrics.request_counters import RequestCounters
from openfaith_pipeline.service.metrics.stream_counters import StreamCounters
from openfaith_pipeline.service.problems import NotAllowed
from openfaith_pipeline.service.schemas import ANSWERS

router = APIRouter(tags=["metrics"], responses=ANSWERS)

_KEPT_SECONDS: Final = 5.0


@dataclass(eq=False)
class _Kept(Collector):
    """The gauges of the last look."""

    gauges: list[Metric] = field(default_factory=list)

    def collect(self) -> Iterable[Metric]:
        return self.gauges

    def describe(self) -> Iterable[Metric]:
        return ()


class Metrics:
    """The metrics of one process of the service."""

    def __init__(self, pool: ConnectionPool[Any], limit: timedelta) -> None:
        self.registry = CollectorRegistry()
        self._pool, self._limit = pool, limit
        self._kept = _Kept()
        self.registry.register(self._kept)
        self._readers = (StreamCounters(self.registry), RequestCounters(self.registry), Durations(self.registry))
        self._lock = threading.Lock()
        self._looked_at: float | None = None

    def look(self) -> None:
        """Read all figures again unless the last reading is only seconds old; one caller at a time does it."""
        with self._lock:
            if self._looked_at is not None and time.monotonic() - self._looked_at < _KEPT_SECONDS:
                return
            readiness = read_readiness(self._pool)
            if readiness.status != "ready":
                raise DatabaseUnavailable("the metrics are read from Postgres, which is not ready")
            with self._pool.connection() as connection:
                for reader in self._readers:
                    reader.look(connection)
                self._kept.gauges = list(read_gauges(connection, self._limit, readiness, self._pool.get_stats()))
            self._looked_at = time.monotonic()


@router.get("/metrics", summary="Figures of the whole installation, for Prometheus", response_class=Response)
def show_metrics(request: Request, visitor: Annotated[Visitor, Depends(visitor_with(READ))]) -> Response:
    """For a key that is for all churches: the figures are of all of them together."""
    if visitor.orgs is not None:
        raise NotAllowed(f"the key {visitor.name} is not for all orgs, and metrics are of all of them")
    metrics: Metrics = request.app.state.metrics
    metrics.look()
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(metrics.registry), media_type=content_type)
