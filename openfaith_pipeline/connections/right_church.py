"""Tokens in OpenFaith's table are replaced without our doing: each is asked once whose it is before anything is read.

One of another church would mix its rows into this org.
"""

from contextlib import suppress
from hashlib import sha256
from typing import Final

from openfaith_pipeline.catalog.reading import Client
from openfaith_pipeline.errors import ConnectionRejected, UnavailableError
from openfaith_pipeline.network.credentials import OAuthToken
from openfaith_pipeline.sources import CONNECTORS, SOURCES

_checked: Final = set[bytes]()
_MOST_CHECKED: Final = 10_000


async def check_church(client: Client, org_id: str, adapter: str, token: OAuthToken, number: str) -> None:
    """Raise ConnectionRejected if the token is not of the church with this number; takes one request for a new token.

    A token that may not ask for its church is not refused: nothing says that it is another's.
    """
    access_token = token.access_token.get_secret_value()
    mark = sha256(f"{adapter} {org_id} {number} {access_token}".encode()).digest()
    if mark in _checked:
        return
    with suppress(UnavailableError):
        await CONNECTORS[adapter].read_root(client)
    if client.organization_id not in {None, number}:
        raise ConnectionRejected(
            f"the token in OpenFaith's tables is of another church at {SOURCES[adapter].title}: nothing was read with"
            " it; a user of this church has to approve access in OpenFaith again"
        )
    if len(_checked) >= _MOST_CHECKED:
        _checked.clear()
    _checked.add(mark)
