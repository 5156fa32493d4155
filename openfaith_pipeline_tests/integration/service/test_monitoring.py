"""The dashboard and the alerting rules ask for metrics that exist, and OpenTelemetry is sent the same ones."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from openfaith_pipeline.database import Database
from openfaith_pipeline.service.metrics.durations import NAME
from openfaith_pipeline.service.metrics.endpoint import Metrics
from openfaith_pipeline.service.metrics.gauges import GAUGES
from openfaith_pipeline.service.metrics.request_counters import REQUEST_COUNTERS
from openfaith_pipeline.service.metrics.stream_counters import STREAM_COUNTERS

MONITORING = Path(__file__).parents[3] / "deploy" / "monitoring"
RULES = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())

_LABELS = {
    "openfaith_churches": {"standing"},
    "openfaith_connections": {"state", "source"},
    "openfaith_churches_out_of_date": {"source"},
    "openfaith_freshness_worst_seconds": {"source"},
    "openfaith_failing_streams": {"source"},
    "openfaith_alerts_open": {"kind"},
    "openfaith_stream_rows_total": {"stream", "change"},
    **{f"{name}_total": {"stream"} for name in STREAM_COUNTERS if name != "openfaith_stream_rows"},
    f"{NAME}_bucket": {"mode", "status", "le"},
}
_SERIES = re.compile(r"(openfaith_\w+)(?:\{(\w+)[!=~]+)?")


@pytest.fixture
def metrics(database: Database) -> Iterator[Metrics]:
    with database.thread_pool(size=1, timeout=10) as pool:
        yield Metrics(pool, timedelta(days=1))


def expressions() -> list[str]:
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [*panels, *(rule["expr"] for rule in RULES)]


def test_the_declared_metrics_are_those_that_are_served(metrics: Metrics) -> None:
    metrics.look()
    assert {family.name for family in metrics.registry.collect()} == {
        *GAUGES,
        *REQUEST_COUNTERS,
        *STREAM_COUNTERS,
        NAME,
    }


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_names_series_that_exist(expression: str) -> None:
    counters = {f"{name}_total" for name in (*REQUEST_COUNTERS, *STREAM_COUNTERS)}
    found = _SERIES.findall(expression)
    assert found
    for series, label in found:
        assert series in {*GAUGES, *counters, f"{NAME}_bucket"}
        assert not label or label in _LABELS[series]
    grouped = {name.strip() for names in re.findall(r"by \(([^)]*)\)", expression) for name in names.split(",")}
    assert grouped <= set().union(*_LABELS.values()) | {"product"}


def test_every_rule_has_its_meaning_and_urgency() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]


def test_panels_do_not_overlap_and_have_ids_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    assert len({panel["id"] for panel in panels}) == len(panels)


PROMTOOL = shutil.which("promtool")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool, of Debian's package prometheus, is not installed")
def test_prometheus_accepts_the_rules() -> None:
    done = subprocess.run(
        [str(PROMTOOL), "check", "rules", str(MONITORING / "alerts.yaml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
