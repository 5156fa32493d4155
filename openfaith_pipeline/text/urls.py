"""URLs from outside, checked and brought to one form before anything is built on them."""

import re
from ipaddress import IPv6Address
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator

_HOST: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?")
_PATH: Final = re.compile(r"[A-Za-z0-9/._~%!$&'()*+,;=:@-]*")
_QUERY: Final = re.compile(r"[A-Za-z0-9/._~%!$&'()*+,;=:@?-]*")
_USUAL_PORTS: Final = {"http": 80, "https": 443}


def parse_http_url(text: str, *, may_have_query: bool = False) -> str:
    """Normalize: no surrounding blanks, lower-case scheme and host, no default port and no trailing `/`.

    Raises ValueError with the reason, but without any part of the URL, which may contain a password.
    """
    parts = _split(text.strip())
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not have a user or a password in it")
    if not _PATH.fullmatch(parts.path):
        raise ValueError("has characters in its path that a URL cannot have")
    if (parts.query and not (may_have_query and _QUERY.fullmatch(parts.query))) or parts.fragment:
        raise ValueError("must end with its path, without ? and #")
    port = "" if parts.port in (None, _USUAL_PORTS[parts.scheme]) else f":{parts.port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{_host(parts)}{port}{parts.path.rstrip('/')}{query}"


def _split(text: str) -> SplitResult:
    if any(character.isspace() or not character.isprintable() for character in text):
        raise ValueError("has blanks or unprintable characters in it")
    if "\\" in text:
        raise ValueError("has a backslash in it")
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in _USUAL_PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of urlsplit, for brackets and ports; it quotes them
        is_whole = False
    if not is_whole or parts.netloc.endswith(":"):
        raise ValueError("must be http(s)://host[:port][/path]")
    return parts


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if "[" in parts.netloc:
        try:
            return f"[{IPv6Address(host)}]"
        except ValueError:
            raise ValueError("has brackets around something that is not an IPv6 address") from None
    try:
        # Python loads that codec when it is first used, which a process that has changed its user may not be able to.
        name = host.lower() if host.isascii() else host.encode("idna").decode().lower()
    except UnicodeError:
        name = ""
    if not _HOST.fullmatch(name) or ".." in name:
        raise ValueError("has a host that cannot be one")
    return name


HttpUrl = Annotated[str, AfterValidator(parse_http_url)]
"""A setting that is the URL of something of ours or of Planning Center's, in the form of `parse_http_url`."""
