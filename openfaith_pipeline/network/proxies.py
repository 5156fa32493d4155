"""The proxy on the way to a host, as the environment names it. Unusable values are refused by name."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

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


def proxy_for(url: httpx.URL) -> Proxy | None:
    """The proxy for requests to this host; never one for our own machine.

    Raises ConfigurationError for an invalid variable.
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


def is_loopback(host: str) -> bool:
    address = _address(host)
    return address.is_loopback if address else host == "localhost" or host.endswith(".localhost")


def _parse_proxy(variable: str, value: str) -> Proxy:
    parts = _split(value)
    if parts.scheme not in _USABLE_PROXIES:
        raise ConfigurationError(
            f"{variable} does not name an http:// or https:// proxy; other kinds are not supported"
        )
    port = _port(parts)
    is_clean = parts.path in ("", "/") and not parts.query and not parts.fragment
    if port == 0 or not parts.hostname or not is_clean or any(map(str.isspace, value)):
        raise ConfigurationError(
            f"{variable} must be http(s)://[user:password@]host[:port], with special characters of a password"
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
    """The port; None if none is given, 0 if invalid."""
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
            " not"
        ) from None


def _matches(entry: str, host: str, port: int) -> bool:
    """Whether the entry exempts the host. Raises ValueError for an entry that is neither a name nor an address."""
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
