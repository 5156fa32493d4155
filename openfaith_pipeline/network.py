"""Outgoing HTTP: the proxy to use and the certificates to trust.

The libraries below would read the environment themselves, and react to invalid values with a traceback that contains
them. So the relevant variables are read here, and refused by name, never by value.
"""

import json
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import SplitResult, quote, unquote, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener

import httpx

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.settings import shared_variable

_USABLE_PROXIES: Final = ("http", "https")
_BRACKETED: Final = re.compile(r"\[([^\]]*)\](/\d+)?")


@dataclass(frozen=True)
class Proxy:
    """A proxy on the way, and the variable that names it."""

    variable: str
    url: str
    user: tuple[str, str] | None

    def __repr__(self) -> str:
        return f"Proxy({self.variable})"

    @property
    def with_user(self) -> str:
        scheme, _, host = self.url.partition("://")
        user = ":".join(quote(part, safe="") for part in self.user) + "@" if self.user else ""
        return f"{scheme}://{user}{host}"


def post_json(url: str, document: Any, *, timeout: float) -> int:
    """The status of the answer to a document sent to a URL that is a secret: httpx would log it.

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
    """Arguments for an httpx client that sends to this host, so that it reads nothing from the environment.

    Raises ConfigurationError for an invalid variable.
    """
    proxy = proxy_for(url)
    is_encrypted = url.scheme == "https" or (proxy is not None and proxy.url.startswith("https"))
    trusted = tls_context() if is_encrypted else _trusting_nobody()
    through = httpx.Proxy(proxy.url, auth=proxy.user, ssl_context=_context_for(proxy, trusted)) if proxy else None
    return {"trust_env": False, "proxy": through, "verify": trusted}


def proxy_for(url: httpx.URL) -> Proxy | None:
    """The proxy that requests to this host take; none has business between us and our own machine.

    Raises ConfigurationError for a variable that cannot be followed.
    """
    if is_loopback(url.host):
        return None
    found = shared_variable(f"{url.scheme.upper()}_PROXY") or shared_variable("ALL_PROXY")
    if found is None or _is_exempt(url):
        return None
    return _parse_proxy(*found)


def proxy_of(url: str) -> str | None:
    """The proxy for a URL, with user and password in it: for libraries other than httpx. Raises as `proxy_for` does."""
    proxy = proxy_for(httpx.URL(url))
    return proxy.with_user if proxy else None


def certificates_named() -> str | None:
    """The file or directory of certificates that the environment names."""
    found = shared_variable("SSL_CERT_FILE") or shared_variable("SSL_CERT_DIR")
    return found[1] if found else None


def is_loopback(host: str) -> bool:
    address = _address(host)
    return address.is_loopback if address else host == "localhost" or host.endswith(".localhost")


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
    """For clients that encrypt nothing: to load certificates takes longer than a request."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def tls_context() -> ssl.SSLContext:
    """Trusts SSL_CERT_FILE or SSL_CERT_DIR, else the authorities bundled with httpx."""
    return _own_context() or _usual_context()


def mail_tls_context() -> ssl.SSLContext:
    """As `tls_context`, but by default it trusts this machine's authorities: a mail server is often one's own."""
    return _own_context() or _system_context()


def _own_context() -> ssl.SSLContext | None:
    if file := shared_variable("SSL_CERT_FILE"):
        return _trusting(file[0], cafile=file[1])
    if directory := shared_variable("SSL_CERT_DIR"):
        if not Path(directory[1]).is_dir():
            raise ConfigurationError(f"{directory[0]} does not name a directory that can be read")
        return _trusting(directory[0], capath=directory[1])
    return None


@cache
def _trusting(variable: str, **where: str) -> ssl.SSLContext:
    try:
        # Separately, so that only this can be the cause of an error: a default context reads SSLKEYLOGFILE as well.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(**where)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        raise ConfigurationError(f"{variable} does not name certificates in PEM that can be read ({reason})") from None
    return _default_context(**where)


@cache
def _usual_context() -> ssl.SSLContext:
    import certifi  # noqa: PLC0415 - a client that encrypts nothing needs none

    return _default_context(cafile=certifi.where())


@cache
def _system_context() -> ssl.SSLContext:
    return _default_context()


def _default_context(**where: Any) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(**where)
    except OSError as error:
        if shared_variable("SSLKEYLOGFILE") is None:
            raise
        raise ConfigurationError(f"SSLKEYLOGFILE names a file that cannot be written ({error.strerror})") from None


def _context_for(proxy: Proxy, trusted: ssl.SSLContext) -> ssl.SSLContext | None:
    return trusted if proxy.url.startswith("https") else None


def _parse_proxy(variable: str, value: str) -> Proxy:
    parts = _split(value)
    if parts.scheme not in _USABLE_PROXIES:
        raise ConfigurationError(f"{variable} does not name an http:// or https:// proxy; other kinds are not used")
    port = _port(parts)
    is_clean = parts.path in ("", "/") and not parts.query and not parts.fragment
    if port == 0 or not parts.hostname or not is_clean or any(map(str.isspace, value)):
        raise ConfigurationError(
            f"{variable} must be http(s)://[user:password@]host[:port], with what is special in a password"
            " percent-encoded (%23 for #, %40 for @)"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    user = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return Proxy(variable, f"{parts.scheme}://{host}{f':{port}' if port else ''}", user)


def _split(value: str) -> SplitResult:
    try:
        return urlsplit(value if "://" in value else f"http://{value}")
    except ValueError:
        return SplitResult("http", "", "", "", "")


def _port(parts: SplitResult) -> int | None:
    """None where none is given, 0 for one that cannot be."""
    try:
        return parts.port
    except ValueError:
        return 0


def _is_exempt(url: httpx.URL) -> bool:
    """Whether NO_PROXY names the host: by `*`, a name or one above it, an address or its network, a port beside it."""
    found = shared_variable("NO_PROXY")
    if found is None:
        return False
    variable, value = found
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        return any(_matches(entry, url.host, port) for entry in value.replace(",", " ").split())
    except ValueError:
        raise ConfigurationError(
            f"{variable} must be a list of hosts, addresses and networks, separated by commas; one of its entries is"
            " none of these"
        ) from None


def _matches(entry: str, host: str, port: int) -> bool:
    """Raises ValueError for an entry that is neither a name nor an address."""
    if entry == "*":
        return True
    entry = entry.rpartition("://")[2].rstrip("/")
    network = _network(entry)
    address = _address(host)
    if network is not None:
        return address is not None and address in network
    name, _, number = entry.rpartition(":") if ":" in entry else (entry, "", "")
    if number and int(number) != port:
        return False
    if (alone := _network(name)) is not None:
        return address is not None and address in alone
    suffix = name.removeprefix("*").lstrip(".").lower()
    if not suffix or not all(character.isalnum() or character in "-_." for character in suffix):
        raise ValueError
    return host == suffix or host.endswith(f".{suffix}")


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    """A network or single address, with or without brackets; None for anything else."""
    bracketed = _BRACKETED.fullmatch(entry)
    try:
        return ip_network("".join(bracketed.groups("")) if bracketed else entry, strict=False)
    except ValueError:
        if bracketed or "/" in entry:
            raise
        return None


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
