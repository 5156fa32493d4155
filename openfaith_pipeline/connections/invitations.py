"""Invitations: links for connecting an org whose Planning Center organization id is not known.

Anyone may open the connect page. For an org with a known id that is harmless: an approval for another church is
refused. For one without, the approval alone would decide which church the org is, so it also takes an invitation, which
only an operator can make. It is valid for a week and for one connection; only a hash of it is stored.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlencode

from psycopg import Connection
from psycopg.rows import tuple_row

from openfaith_pipeline.catalog.source import Source
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.orgs.registry import get_org

GOOD_FOR: Final = timedelta(days=7)


@dataclass(frozen=True)
class Invitation:
    """token: part of the link; it cannot be read again later."""

    org_id: str
    token: str
    expires_at: datetime


def make_invitation(connection: Connection[Any], org_id: str) -> Invitation:
    """Invite someone to connect the org. Raises UnknownOrg. The caller commits."""
    get_org(connection, org_id)
    token = secrets.token_urlsafe(32)
    connection.execute("DELETE FROM sync.invitations WHERE expires_at < now()")
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(
            "INSERT INTO sync.invitations (token_hash, org_id, expires_at) VALUES (%s, %s, now() + %s)"
            " RETURNING expires_at",
            (hash_of(token), org_id, GOOD_FOR),
        ).fetchone()
    assert row is not None  # noqa: S101 - an INSERT without ON CONFLICT returns its row
    return Invitation(org_id, token, row[0])


def invitation_url(public_url: str, invitation: Invitation, source: Source) -> str:
    """The link for the church."""
    return f"{public_url.rstrip('/')}{source.connect_path}?{urlencode({'invitation': invitation.token})}"


def invited_org(connection: Connection[Any], token: str) -> str:
    """The org of the invitation. Raises UsageError if it is unknown, used or expired."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(
            "SELECT org_id FROM sync.invitations WHERE token_hash = %s AND expires_at > now()", (hash_of(token),)
        ).fetchone()
    if row is None:
        raise _over()
    return str(row[0])


def use_invitation(connection: Connection[Any], token_hash: str, org_id: str) -> None:
    """Use it up, in the transaction that connects the org. Raises UsageError if it is no longer valid."""
    used = connection.execute(
        "DELETE FROM sync.invitations WHERE token_hash = %s AND org_id = %s AND expires_at > now()",
        (token_hash, org_id),
    )
    if used.rowcount == 0:
        raise _over()


def hash_of(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def _over() -> UsageError:
    return UsageError(
        "this invitation was used before, or has expired; the operator can make a new one with"
        " openfaith-pipeline org invite"
    )
