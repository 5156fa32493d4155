"""Orgs that were erased whole: who waited for one meanwhile must not write it anew."""

from typing import Any, Final

from psycopg import AsyncConnection, Cursor

from openfaith_pipeline.errors import UnknownOrg

_ERASED: Final = """
SELECT FROM sync.erasures AS whole WHERE org_id = %s AND subject = 'org'
    AND NOT EXISTS (SELECT FROM sync.orgs AS org WHERE org.org_id = whole.org_id)
"""


def check_not_erased(cursor: Cursor[Any], org_id: str) -> None:
    """Raise UnknownOrg if the org was erased. To be asked once the caller holds what an erasure waits for."""
    if cursor.execute(_ERASED, (org_id,)).fetchone() is not None:
        raise UnknownOrg(f"{org_id} has been erased")


async def check_org_not_erased(connection: AsyncConnection[Any], org_id: str) -> None:
    """As `check_not_erased`."""
    cursor = await connection.execute(_ERASED, (org_id,))
    if await cursor.fetchone() is not None:
        raise UnknownOrg(f"{org_id} has been erased")
