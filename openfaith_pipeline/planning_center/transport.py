"""What every request to Planning Center has in common, whoever makes it."""

import logging
import ssl
from functools import cache
from importlib.metadata import version

import httpx

from openfaith_pipeline.errors import ConfigurationError

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def parse_url(base_url: str) -> httpx.URL:
    """Raise ConfigurationError for what cannot be the URL of an API."""
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise ConfigurationError("PCO_API_URL is to be http(s)://host[:port][/path], without user and password")
    return url


def trusts_environment(url: httpx.URL) -> bool:
    """Whether proxies named by the environment are used: none has business between us and our own machine."""
    return url.host not in _LOOPBACK


@cache
def user_agent() -> str:
    # Planning Center's firewall blocks requests without one (github.com/planningcenter/developers/issues/1310).
    return f"OpenFaith-Pipeline/{version('openfaith-pipeline')} (syncs a church's own data to its OpenFaith database)"


@cache
def tls_context() -> ssl.SSLContext:
    # Loading the certificates takes longer than a request, and one client is made for each org.
    return httpx.create_ssl_context()


def hide_query(record: logging.LogRecord) -> bool:
    """Cut the query from the URLs that httpx logs: filter values may be personal data."""
    if isinstance(record.args, tuple):
        record.args = tuple(arg.copy_with(query=None) if isinstance(arg, httpx.URL) else arg for arg in record.args)
    return True
