"""Request guard for Dagster's web application, which itself answers every caller.

Dagster runs a mutation sent as a GET, or as a POST of plain text with the query in the URL, and it accepts any Host. So
any page open in the operator's browser could start runs (cross-site request forgery), and read everything after making
its own name resolve to 127.0.0.1 (DNS rebinding). The guard admits only requests that such a page cannot make. It does
not authenticate anyone: a proxy has to.
"""

import ipaddress
from collections.abc import Collection
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

_SAFE: Final = frozenset({"GET", "HEAD"})
_ANSWERED_TO_ANYONE: Final = "/server_info"
"""Returns versions only. Health probes request it by a container's address."""

_POLICY_VIOLATION: Final = 1008


class _Refusal(NamedTuple):
    status: int
    reason: str


class OriginGuard:
    """ASGI middleware that refuses requests a page of another site could send, with 400, 403, 405 or 415.

    hosts: names, without a port, at which the application is reached besides `localhost` and loopback addresses.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, _unframed(send) if scope["type"] == "http" else send)
        elif scope["type"] == "websocket":
            await WebSocketClose(_POLICY_VIOLATION, refusal.reason)(scope, receive, send)
        else:
            await PlainTextResponse(f"{refusal.reason}\n", refusal.status)(scope, receive, send)

    def _refusal(self, scope: Scope) -> _Refusal | None:
        headers = Headers(scope=scope)
        if scope.get("method") in _SAFE and scope["path"] == _ANSWERED_TO_ANYONE:
            return None
        host = _hostname(headers.getlist("host"))
        if host is None or not self._is_ours(host):
            return _Refusal(400, "this Host is not served here; name it in OPENFAITH_DAGSTER_HOSTS")
        if not self._is_same_origin(headers):
            return _Refusal(403, "not allowed from a page of another site")
        if scope["type"] == "websocket":
            return None
        return _mutation_by_get(scope) if scope["method"] in _SAFE else _not_json(scope, headers)

    def _is_ours(self, host: str) -> bool:
        return host == "localhost" or host in self._hosts or _is_loopback(host)

    def _is_same_origin(self, headers: Headers) -> bool:
        """Whether the browser says that the request comes from our own pages, or that a person followed a link."""
        origin = headers.get("origin")
        if any(_netloc(each) != headers["host"].lower() for each in headers.getlist("origin")):
            return False
        site = headers.get("sec-fetch-site", "none")
        is_link = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return site in ("same-origin", "none") or (is_link and origin is None)


def _unframed(send: Send) -> Send:
    """Have no page of another site show the response in a frame, where a person's clicks could be led.

    A browser states the purpose of a request (`Sec-Fetch-Dest`) over TLS and to this machine only.
    """

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["x-frame-options"] = "SAMEORIGIN"
        await send(message)

    return sending


def _mutation_by_get(scope: Scope) -> _Refusal | None:
    """The UI only posts queries; a query in the URL could be any mutation."""
    if scope["path"].endswith("/graphql") and "query" in QueryParams(scope.get("query_string", b"")):
        return _Refusal(405, "send GraphQL as a POST of application/json")
    return None


def _not_json(scope: Scope, headers: Headers) -> _Refusal | None:
    """Without a preflight, a foreign page can only send forms and plain text. OPTIONS is the preflight."""
    if scope["method"] == "OPTIONS":
        return _Refusal(403, "not allowed from a page of another site")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return _Refusal(415, "send application/json")
    return None


def _hostname(values: list[str]) -> str | None:
    """The host of exactly one Host header, without its port."""
    try:
        return urlsplit(f"//{values[0]}").hostname if len(values) == 1 else None
    except ValueError:
        return None


def _netloc(origin: str) -> str:
    """Host and port; empty for an invalid URL."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
