"""Spans that never carry the text of an exception, and traces that continue in another process.

A trace goes from process to process as `traceparent` (W3C Trace Context): in a header, in rows of requests and
deliveries, and in a tag of Dagster's runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Final

from opentelemetry import context, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

HEADER: Final = "traceparent"
MOST_CHARACTERS: Final = 55
"""Length of a `traceparent` of version 00; longer ones are of versions that do not exist yet."""

_FORM: Final = TraceContextTextMapPropagator()
_TRACER: Final = trace.get_tracer("openfaith_pipeline")


class span:  # noqa: N801 - read as a function; generators, three within each other, cost as much as the span itself
    """A span of the current trace for a block; an exception is recorded by its type alone.

    is_apart: begin a trace of its own.
    """

    __slots__ = ("_attributes", "_context", "_kind", "_links", "_name", "_span", "_token")

    def __init__(
        self,
        name: str,
        attributes: Mapping[str, AttributeValue] | None = None,
        *,
        kind: trace.SpanKind = trace.SpanKind.INTERNAL,
        links: Sequence[trace.Link] = (),
        is_apart: bool = False,
    ) -> None:
        self._name, self._attributes, self._kind, self._links = name, attributes, kind, links
        self._context = context.Context() if is_apart else None

    def __enter__(self) -> trace.Span:
        self._span = _TRACER.start_span(self._name, self._context, self._kind, self._attributes, self._links)
        self._token = context.attach(trace.set_span_in_context(self._span))
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_: TracebackType | None
    ) -> None:
        if error is not None:
            self._span.set_attribute("error.type", type(error).__qualname__)
            self._span.set_status(trace.StatusCode.ERROR)
        context.detach(self._token)
        self._span.end()


def current_traceparent() -> str | None:
    """The current span, for another process; None outside any trace."""
    carrier: dict[str, str] = {}
    _FORM.inject(carrier)
    return carrier.get(HEADER)


@contextmanager
def continuing(traceparent: str | None) -> Iterator[None]:
    """Let the block's spans belong to the trace; nothing changes without one, or with one that cannot be read."""
    if traceparent is None or len(traceparent) > MOST_CHARACTERS:
        yield
        return
    token = context.attach(_FORM.extract({HEADER: traceparent}))
    try:
        yield
    finally:
        context.detach(token)


def links_to(traceparents: Sequence[str | None]) -> list[trace.Link]:
    """Links to spans of other traces, each once."""
    found = [trace.get_current_span(_FORM.extract({HEADER: each})) for each in dict.fromkeys(traceparents) if each]
    return [trace.Link(each.get_span_context()) for each in found if each.get_span_context().is_valid]


def link_here(current: trace.Span) -> trace.Link:
    """A link to the span, for a span of another trace."""
    return trace.Link(current.get_span_context())
