"""How requests are sent: the proxy, the certificates, and the wording of failures."""

import json
import ssl
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener

import httpx

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.network.certificates import tls_context
from openfaith_pipeline.network.proxies import Proxy, proxy_for, proxy_of


def post_json(url: str, document: Any, *, timeout: float) -> int:
    """POST a document to a URL that is a secret, which httpx would log; returns the status of the response.

    Raises OSError or HTTPException when there is no answer, ConfigurationError as `client_options` does.
    """
    proxy = proxy_of(url)
    opener = build_opener(
        ProxyHandler({"http": proxy, "https": proxy} if proxy else {}),
        HTTPSHandler(context=client_options(httpx.URL(url))["verify"]),
        _NoRedirects(),
    )
    headers = {"Content-Type": "application/json;charset=utf-8"}
    request = Request(url, json.dumps(document).encode(), headers)  # noqa: S310 - http(s), as the settings see to
    try:
        with opener.open(request, timeout=timeout) as answer:
            return int(answer.status)
    except HTTPError as answer:
        with answer:
            return answer.code


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def client_options(url: httpx.URL) -> dict[str, Any]:
    """Arguments for an httpx client for this host, which then reads nothing from the environment.

    Raises ConfigurationError for an invalid variable.
    """
    proxy = proxy_for(url)
    is_encrypted = url.scheme == "https" or (proxy is not None and proxy.url.startswith("https"))
    trusted = tls_context() if is_encrypted else _trusting_nobody()
    through = httpx.Proxy(proxy.url, auth=proxy.user, ssl_context=_context_for(proxy, trusted)) if proxy else None
    return {"trust_env": False, "proxy": through, "verify": trusted}


def failure_of(error: BaseException, url: httpx.URL) -> str:
    """Why no answer came, in words that hold nothing of the request: `ConnectError`, `ReadTimeout by way of ...`.

    Raises ConfigurationError for a certificate that is not trusted: waiting does not mend that.
    """
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise ConfigurationError(
                f"the certificate that {url.host} shows is not trusted ({cause.verify_message}): where a proxy or"
                " firewall of yours signs for it, set SSL_CERT_FILE to a PEM file that has its authority's certificate"
            ) from None
    proxy = proxy_for(url)
    return f"{type(error).__name__} by way of the proxy in {proxy.variable}" if proxy else type(error).__name__


@cache
def _trusting_nobody() -> ssl.SSLContext:
    """A context for clients that encrypt nothing: loading certificates takes longer than a request."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _context_for(proxy: Proxy, trusted: ssl.SSLContext) -> ssl.SSLContext | None:
    return trusted if proxy.url.startswith("https") else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
