"""A span for each call that may begin work, in the trace of its caller."""

from typing import Final

from opentelemetry.trace import Span, SpanKind
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openfaith_pipeline.telemetry.spans import HEADER, continuing, span

_LOOKS: Final = ("/health", "/metrics", "/orgs", "/syncs", "/api/status", "/api/docs", "/api/openapi")
"""Paths of pages and of what monitoring calls every few seconds: calls that begin no work."""
_NAME: Final = HEADER.encode()


class Traced:
    """Makes each call a span with its method, route and status, but without its path, query and body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == "/" or scope["path"].startswith(_LOOKS):
            await self._app(scope, receive, send)
            return
        sent = next((value.decode("latin-1") for name, value in scope["headers"] if name == _NAME), None)
        attributes = {"http.request.method": scope["method"]}
        with continuing(sent), span(scope["method"], attributes, kind=SpanKind.SERVER) as call:
            await self._app(scope, receive, _noting(call, send))
            if route := getattr(scope.get("route"), "path", None):
                call.update_name(f"{scope['method']} {route}")
                call.set_attribute("http.route", route)


def _noting(call: Span, send: Send) -> Send:
    async def note(message: Message) -> None:
        if message["type"] == "http.response.start":
            call.set_attribute("http.response.status_code", message["status"])
        await send(message)

    return note
