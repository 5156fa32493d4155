"""One span for each page that is read, with its HTTP call, its retries and its waits; with no text of any answer."""

from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from openfaith_pipeline.errors import PathNotFound
from openfaith_pipeline.telemetry import spans
from openfaith_pipeline_tests.unit.planning_center.gateway import in_turn, page, read, refusal


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "_TRACER", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def only(sent: InMemorySpanExporter) -> ReadableSpan:
    [span] = sent.get_finished_spans()
    return span


def test_a_page_is_one_span_with_its_call(sent: InMemorySpanExporter) -> None:
    read(in_turn([page("1")]))
    span = only(sent)
    assert (span.name, span.kind) == ("GET /people/v2", SpanKind.CLIENT)
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "server.address": "pco.invalid",
        "url.path": "/people/v2/people",
        "http.response.status_code": 200,
        "openfaith.requests": 1,
        "openfaith.waited_seconds": 0.0,
    }
    assert (span.events, span.status.is_unset) == ((), True)


def test_each_attempt_that_failed_is_an_event_without_its_text(sent: InMemorySpanExporter) -> None:
    limited = refusal(429, detail="ann@example.org", Retry_After="7")
    read(in_turn([httpx.ReadTimeout("ann@example.org"), refusal(503, detail="ann@example.org"), limited, page("1")]))
    span = only(sent)
    assert [dict(event.attributes or {}) for event in span.events] == [
        {"error.type": "ReadTimeout"},
        {"error.type": "TransientError", "http.response.status_code": 503},
        {"error.type": "RateLimitedError", "http.response.status_code": 429},
    ]
    assert span.attributes is not None
    assert (span.attributes["openfaith.requests"], span.attributes["openfaith.waited_seconds"]) == (4, 7.0)
    assert span.attributes["http.response.status_code"] == 200
    assert "ann@example.org" not in span.to_json()


def test_a_call_that_fails_is_an_error_by_its_type(sent: InMemorySpanExporter) -> None:
    with pytest.raises(PathNotFound):
        read(in_turn([refusal(404, detail="ann@example.org")]))
    span = only(sent)
    assert (span.status.is_ok, span.status.is_unset, span.status.description) == (False, False, None)
    assert (span.attributes or {})["error.type"] == "PathNotFound"
    assert "ann@example.org" not in span.to_json()


def test_spans_are_within_each_other_and_those_apart_are_not(sent: InMemorySpanExporter) -> None:
    with spans.span("outer") as outer, spans.span("inner"), spans.span("apart", is_apart=True):
        pass
    by_name = {span.name: span for span in sent.get_finished_spans()}
    assert by_name["inner"].parent == outer.get_span_context()
    assert by_name["apart"].parent is None
    with spans.span("after"):
        pass
    assert sent.get_finished_spans()[-1].parent is None
