"""Callers by network address."""

import ipaddress
from typing import Final

_OF_ONE_CALLER: Final = 64
"""Bits of an IPv6 address that identify a network: its owner chooses the other bits at will."""


def network_of(address: str) -> str:
    """The unit that counts as one caller: an IPv4 address, or the network of an IPv6 one; other text unchanged."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _OF_ONE_CALLER), strict=False))
    return str(parsed)
