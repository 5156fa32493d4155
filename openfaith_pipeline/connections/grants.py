"""Comparison of a new grant with the current one: products that it may no longer read."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import scalar_row

from openfaith_pipeline.catalog.source import Product
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.errors import OpenFaithError, UnavailableError
from openfaith_pipeline.network.credentials import Credentials
from openfaith_pipeline.network.retrying import RetryLimits
from openfaith_pipeline.sources import CONNECTORS, STREAMS

_SOMEONE_IS_WAITING: Final = RetryLimits(attempts=2, total=timedelta(seconds=10))

_READ_NOW: Final = """
SELECT stream FROM sync.stream_states JOIN sync.source_connections AS connection USING (org_id)
 WHERE org_id = %s AND adapter = %s AND availability = 'available' AND connection.state = 'connected'
"""


def read_now(connection: Connection[Any], org_id: str, adapter: str) -> list[Stream]:
    """One stream of each product that the org's current connection can read; empty if it does not work."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        names = set(cursor.execute(_READ_NOW, (org_id, adapter)).fetchall())
    read: dict[Product, Stream] = {}
    for stream in STREAMS.values():
        is_of_source = stream.adapter == adapter
        if is_of_source and stream.name in names and not stream.placeholders and not stream.is_unconfirmed:
            read.setdefault(stream.product, stream)
    return list(read.values())


async def lost_products(
    api_url: str, credentials: Credentials, streams: Sequence[Stream], adapter: str
) -> list[Product]:
    """Products that the credentials may not read, tested with one request each.

    Those without a response are not lost.
    """
    lost: list[Product] = []
    async with CONNECTORS[adapter].open_client(api_url, credentials, retry=_SOMEONE_IS_WAITING) as client:
        for stream in streams:
            with suppress(OpenFaithError):
                try:
                    await client.get(stream.path, {"per_page": "1"}, product=stream.product)
                except UnavailableError:
                    lost.append(stream.product)
    return lost
