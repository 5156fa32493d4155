"""The figures of `GET /metrics` for OpenTelemetry, which reads them when it sends: once a minute by default.

Where no collector listens, nothing reads them.
"""

from collections.abc import Callable, Iterator

from opentelemetry.metrics import CallbackOptions, Observation, get_meter

from openfaith_pipeline.database.refusals import TROUBLE
from openfaith_pipeline.errors import DatabaseUnavailable
from openfaith_pipeline.service.metrics.endpoint import Metrics
from openfaith_pipeline.service.metrics.gauges import GAUGES
from openfaith_pipeline.service.metrics.request_counters import REQUEST_COUNTERS
from openfaith_pipeline.service.metrics.stream_counters import STREAM_COUNTERS

_Observer = Callable[[CallbackOptions], Iterator[Observation]]


def observe(metrics: Metrics) -> None:
    """Let OpenTelemetry send the metrics of this process."""
    meter = get_meter("openfaith_pipeline.service")
    for name, text in GAUGES.items():
        meter.create_observable_gauge(name, [_observer(metrics, name, name)], description=text)
    for name, text in {**REQUEST_COUNTERS, **STREAM_COUNTERS}.items():
        meter.create_observable_counter(name, [_observer(metrics, name, f"{name}_total")], description=text)


def _observer(metrics: Metrics, name: str, sample: str) -> _Observer:
    def read(_options: CallbackOptions) -> Iterator[Observation]:
        try:
            metrics.look()
        except (DatabaseUnavailable, *TROUBLE):  # without figures, nothing is reported
            return
        for family in metrics.registry.collect():
            if family.name == name:
                yield from (Observation(each.value, each.labels) for each in family.samples if each.name == sample)

    return read
