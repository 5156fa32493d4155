"""Who is calling, and what they may do."""

import base64
import binascii
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request

from openfaith_pipeline.service.keys import SCOPES, ApiKey, find_key
from openfaith_pipeline.service.problems import NotAllowed, NotIdentified, TooManyCalls

_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")


@dataclass(frozen=True)
class Visitor:
    """Someone who may use the service. orgs: None for all."""

    name: str
    scopes: frozenset[str]
    orgs: frozenset[str] | None

    def check_org(self, org_id: str) -> None:
        """Raise NotAllowed for an org that is not the visitor's, whether there is one or not."""
        if self.orgs is not None and org_id not in self.orgs:
            raise NotAllowed(f"the key {self.name} is not for the org {org_id[:80]!r}")


LOCAL: Final = Visitor("loopback", SCOPES, None)


def visitor_with(scope: str) -> Callable[[Request], Visitor]:
    """A dependency: the visitor, who may do what `scope` says.

    Raises NotIdentified, NotAllowed or TooManyCalls. Without any keys set, programs on this machine need none.
    """

    def check(request: Request) -> Visitor:
        return _check_scope(identify(request), scope)

    return check


def onlooker(request: Request) -> Visitor:
    """A dependency for pages that people look at: a key that may read, or this machine."""
    if not _given_key(request) and is_local(request):
        _take_turn(request, LOCAL.name)
        return LOCAL
    return _check_scope(identify(request), "read")


def identify(request: Request) -> Visitor:
    """The visitor by their key. Raises NotIdentified or TooManyCalls."""
    keys: tuple[ApiKey, ...] = request.app.state.keys
    given = _given_key(request)
    if not keys:
        if not is_local(request):
            raise NotIdentified("no keys are set: set OPENFAITH_API_KEYS where the service runs")
        _take_turn(request, LOCAL.name)
        return LOCAL
    key = find_key(keys, given) if given else None
    if key is None:
        _take_turn(request, f"address {_address(request)}")
        raise NotIdentified(
            "the key is not known" if given else "a key is needed: send it as Authorization: Bearer KEY, or X-API-Key"
        )
    _take_turn(request, f"key {key.name}")
    return Visitor(key.name, key.scopes, key.orgs)


def is_local(request: Request) -> bool:
    """Whether a program on this machine calls, itself and by a local name.

    Not so through a proxy, which would make everyone local, nor from a web page that had a name of its own resolve to
    this machine.
    """
    if any(header in request.headers for header in _FORWARDED):
        return False
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    origin = request.headers.get("origin")
    names = [host, *([urlsplit(origin).hostname or ""] if origin else [])]
    return _is_loopback(_address(request)) and all(name == "localhost" or _is_loopback(name) for name in names)


def _check_scope(visitor: Visitor, scope: str) -> Visitor:
    if scope not in visitor.scopes:
        raise NotAllowed(f"the key {visitor.name} may not {scope}; it may {', '.join(sorted(visitor.scopes))}")
    return visitor


def _given_key(request: Request) -> str:
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        return _password(rest.strip())
    return request.headers.get("x-api-key", "")


def _password(encoded: str) -> str:
    """The key where a browser puts it: it asks for a name and a password, and any name will do."""
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
