"""Properties of all HTTP requests to Planning Center."""

import logging
from functools import cache
from importlib.metadata import version

import httpx

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.text.urls import parse_http_url


def parse_url(base_url: str) -> httpx.URL:
    """Parse the URL of an API; raises ConfigurationError if it cannot be one."""
    try:
        return httpx.URL(parse_http_url(base_url))
    except (ValueError, httpx.InvalidURL) as error:
        reason = "is not a URL" if isinstance(error, httpx.InvalidURL) else str(error)
    raise ConfigurationError(f"the URL of the API (PCO_API_URL, or --api-url) {reason}")


def normal_url(base_url: str) -> str:
    """Like `parse_url`, without a trailing slash."""
    return str(parse_url(base_url)).rstrip("/")


@cache
def user_agent() -> str:
    # Planning Center's firewall blocks requests without one (github.com/planningcenter/developers/issues/1310).
    return f"OpenFaith-Pipeline/{version('openfaith-pipeline')} (syncs a church's own data to its OpenFaith database)"


def hide_query(record: logging.LogRecord) -> bool:
    """Remove the query from the URLs that httpx logs: filter values may be personal data."""
    if isinstance(record.args, tuple):
        record.args = tuple(arg.copy_with(query=None) if isinstance(arg, httpx.URL) else arg for arg in record.args)
    return True
