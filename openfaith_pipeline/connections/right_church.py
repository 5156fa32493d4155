"""Tokens in OpenFaith's table are replaced without our doing: each is asked once whose it is before anything is read.

One of another church would mix its rows into this org.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import sha256
from typing import Final

from openfaith_pipeline.catalog.reading import Client
from openfaith_pipeline.errors import ConnectionRejected, TransientError, UnavailableError
from openfaith_pipeline.network.credentials import OAuthToken
from openfaith_pipeline.sources import CONNECTORS, SOURCES

_checked: Final = set[bytes]()
_MOST_CHECKED: Final = 10_000


Check = Callable[[OAuthToken], Awaitable[None]]
"""Called with each token before it is used in place of another."""


async def check_church(client: Client, org_id: str, adapter: str, token: OAuthToken, number: str) -> None:
    """Raise ConnectionRejected if the token is not of the church with this number; takes one request for a new token.

    A token that may not ask for its church is not refused: nothing says that it is another's.
    """
    mark = _mark(org_id, adapter, token, number)
    if mark in _checked:
        return
    with suppress(UnavailableError):
        await CONNECTORS[adapter].read_root(client)
    _judge(mark, adapter, client.organization_id, number)


async def check_token(api_url: str, org_id: str, adapter: str, token: OAuthToken, number: str) -> None:
    """Like `check_church`, for a token that no client uses yet: one that took the place of another during its work."""
    mark = _mark(org_id, adapter, token, number)
    if mark in _checked:
        return
    found = None
    try:
        found = (await CONNECTORS[adapter].read_account(api_url, token)).number
    except UnavailableError:
        pass
    except ConnectionRejected as refusal:
        raise TransientError(f"the church of a new token could not be asked for: {refusal}") from None
    _judge(mark, adapter, found, number)


def _mark(org_id: str, adapter: str, token: OAuthToken, number: str) -> bytes:
    return sha256(f"{adapter} {org_id} {number} {token.access_token.get_secret_value()}".encode()).digest()


def _judge(mark: bytes, adapter: str, found: str | None, number: str) -> None:
    if found not in {None, number}:
        raise ConnectionRejected(
            f"the token in OpenFaith's tables is of another church at {SOURCES[adapter].title}: nothing was read with"
            " it; a user of this church has to approve access in OpenFaith again"
        )
    if len(_checked) >= _MOST_CHECKED:
        _checked.clear()
    _checked.add(mark)
