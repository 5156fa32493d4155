"""Authentication and authorization of callers."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.openapi.models import APIKey, HTTPBase, HTTPBearer
from fastapi.openapi.models import SecurityBase as SecurityScheme
from fastapi.security.base import SecurityBase

from openfaith_pipeline.service.addresses import network_of
from openfaith_pipeline.service.api_keys import SCOPES, ApiKey, find_key
from openfaith_pipeline.service.problems import NotAllowed, NotIdentified, TooManyCalls
from openfaith_pipeline.settings import Settings

_FORWARDING: Final = re.compile(
    r"via|forwarded|x-forwarded.*|x-(?:real|client|cluster-client|original|remote|nginx)-.*|x-proxy.*|proxy-.*"
    r"|(?:.*-)?client-ip|x-(?:scheme|host|varnish|request-id)|x-(?:envoy|arr|vercel|azure|cloud)-.*"
    r"|x-(?:amz|appengine).*|(?:cf|cdn|fly|fastly|akamai|tailscale|surrogate)-.*|max-forwards|x-request-start"
)
"""Headers that proxies, tunnels and CDNs add, and programs on this machine do not."""


@dataclass(frozen=True)
class Visitor:
    """An authenticated caller. orgs: None for all."""

    name: str
    scopes: frozenset[str]
    orgs: frozenset[str] | None

    def check_org(self, org_id: str) -> None:
        """Raise NotAllowed for an org that is not the visitor's, whether or not it exists."""
        if self.orgs is not None and org_id not in self.orgs:
            raise NotAllowed(f"the key {self.name} is not for the org {org_id[:80]!r}")

    def check_scope(self, scope: str) -> None:
        """Raise NotAllowed without this scope."""
        if scope not in self.scopes:
            raise NotAllowed(f"the key {self.name} may not {scope}; it may {', '.join(sorted(self.scopes))}")


LOCAL: Final = Visitor("loopback", SCOPES, None)


class _Scheme(SecurityBase):
    """A way to send a key, for the OpenAPI document: FastAPI's own would also read it, and answer in their own way."""

    def __init__(self, name: str, model: SecurityScheme) -> None:
        self.scheme_name = name
        self.model = model

    def __call__(self) -> None:
        return None


_WAYS: Final = (
    Depends(_Scheme("bearer", HTTPBearer(description="A key of OPENFAITH_API_KEYS."))),
    Depends(_Scheme("header", APIKey.model_validate({"in": "header", "name": "X-API-Key"}))),
    Depends(
        _Scheme("basic", HTTPBase(scheme="basic", description="The key as the password; any user name is accepted."))
    ),
)


def visitor_with(scope: str) -> Callable[..., Visitor]:
    """A dependency that returns the visitor, who needs `scope`.

    Raises NotIdentified, NotAllowed or TooManyCalls. If nobody else can call, programs on this machine need no key.
    """

    def check(request: Request, _bearer: None = _WAYS[0], _header: None = _WAYS[1], _basic: None = _WAYS[2]) -> Visitor:
        visitor = identify(request)
        visitor.check_scope(scope)
        return visitor

    return check


def identify(request: Request) -> Visitor:
    """The visitor with this key. Raises NotIdentified or TooManyCalls."""
    keys: tuple[ApiKey, ...] = request.app.state.keys
    given = _given_key(request)
    if not given and is_local(request):
        check_same_site(request)
        _take_turn(request, LOCAL.name)
        return LOCAL
    if not keys:
        raise NotIdentified("no keys are set: set OPENFAITH_API_KEYS where the service runs")
    if _is_basic(request):
        check_same_site(request)
    key = find_key(keys, given) if given else None
    if key is None:
        _take_turn(request, f"address {network_of(_address(request))}")
        raise NotIdentified(
            "the key is not known" if given else "a key is needed: send it as Authorization: Bearer KEY, or X-API-Key"
        )
    _take_turn(request, f"key {key.name}")
    return Visitor(key.name, key.scopes, key.orgs)


def trusts_this_machine(settings: Settings, host: str) -> bool:
    """Whether programs on this machine may do everything without a key: only if nobody else can connect.

    host: the address listened on. A proxy may make any caller look local, and not every one shows itself (a bare
    `proxy_pass` or a TCP forwarder adds nothing). With a public URL, a key, or another listening address, outside
    callers are expected, and no caller is trusted for its address.
    """
    is_public = settings.public_url is not None and not _is_local_name(urlsplit(settings.public_url).hostname or "")
    return not settings.api_keys and not is_public and _is_local_name(host)


def is_local(request: Request) -> bool:
    """Whether a trusted program on this machine calls: directly and by a local name.

    False with any sign of a proxy, which would make every caller local: one of its headers, or HTTP/1.0. Also false for
    a web page whose own name resolves to this machine.
    """
    if not request.app.state.trusts_this_machine or request.scope["http_version"] == "1.0":
        return False
    if any(_FORWARDING.fullmatch(name) for name in request.headers):
        return False
    hosts = [hostname_of(f"//{host}") for host in request.headers.getlist("host")]
    origins = [hostname_of(origin) for origin in request.headers.getlist("origin")]
    return len(hosts) == 1 and _is_loopback(_address(request)) and all(map(_is_local_name, (*hosts, *origins)))


def check_same_site(request: Request) -> None:
    """Raise NotAllowed for a change requested by another site's page through the browser.

    A browser adds by itself whatever makes it trusted, such as a known password or its place on this machine, to any
    request of a page. Only a program puts a key in another header.
    """
    if request.method in ("GET", "HEAD"):
        return
    site, origin = request.headers.get("sec-fetch-site", "none"), request.headers.get("origin")
    is_own = origin is None or netloc_of(origin) == request.headers.get("host", "").lower()
    if site not in ("same-origin", "none") or not is_own:
        raise NotAllowed(
            "this request comes from another site's page: send the key as Authorization: Bearer KEY instead"
        )


def hostname_of(url: str) -> str:
    """Host of a URL; empty for an invalid one."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def netloc_of(url: str) -> str:
    """Host and port of a URL; empty for an invalid one."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def _is_local_name(name: str) -> bool:
    return name == "localhost" or _is_loopback(name)


def _is_basic(request: Request) -> bool:
    return request.headers.get("authorization", "").partition(" ")[0].lower() == "basic"


def _given_key(request: Request) -> str:
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        return _password(rest.strip())
    return request.headers.get("x-api-key", "")


def _password(encoded: str) -> str:
    """The password of HTTP Basic, where a browser puts the key; any user name is accepted."""
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _take_turn(request: Request, caller: str) -> None:
    wait = request.app.state.limiter.wait_of(caller)
    if wait:
        raise TooManyCalls(f"too many calls in a minute; wait {wait} s", wait)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
