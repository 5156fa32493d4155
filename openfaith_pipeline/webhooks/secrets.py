"""Which webhook subscriptions are ours, and what their deliveries are signed with; each function leaves the commit.

A secret is sealed in with its org and subscription, so that a row copied to another opens nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import tuple_row

from openfaith_pipeline.connections.cipher import Cipher
from openfaith_pipeline.errors import ConfigurationError

_REMOVED_ORGS: Final = """
SELECT org_id, CASE WHEN NOT EXISTS (SELECT FROM sync.orgs AS other
                      WHERE other.organization_id = orgs.organization_id AND other.removed_at IS NULL)
               THEN organization_id END
  FROM sync.orgs WHERE removed_at IS NOT NULL
"""


@dataclass(frozen=True)
class Subscription:
    """One of ours, as kept."""

    subscription_id: str
    event: str
    url: str


def subscriptions_of(connection: Connection[Any], org_id: str) -> list[Subscription]:
    """Ours of an org, by event."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(
            "SELECT subscription_id, event, url FROM sync.webhook_subscriptions WHERE org_id = %s ORDER BY event, 1",
            (org_id,),
        ).fetchall()
    return [Subscription(*row) for row in rows]


def keep_subscription(
    connection: Connection[Any], cipher: Cipher, org_id: str, subscription: Subscription, secret: str
) -> None:
    """Keep one with its secret, or the new secret of one that is known."""
    sealed = _sealed(cipher, org_id, subscription.subscription_id, secret)
    connection.execute(
        "INSERT INTO sync.webhook_subscriptions (org_id, subscription_id, event, url, secret)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (org_id, subscription_id)"
        " DO UPDATE SET event = excluded.event, url = excluded.url, secret = excluded.secret",
        (org_id, subscription.subscription_id, subscription.event, subscription.url, sealed),
    )


def forget_subscription(connection: Connection[Any], org_id: str, subscription_id: str) -> None:
    connection.execute(
        "DELETE FROM sync.webhook_subscriptions WHERE org_id = %s AND subscription_id = %s", (org_id, subscription_id)
    )


def secret_of(connection: Connection[Any], cipher: Cipher, org_id: str, subscription_id: str) -> str | None:
    """The secret kept of one of ours; None where there is none that can be read."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(
            "SELECT secret FROM sync.webhook_subscriptions WHERE org_id = %s AND subscription_id = %s",
            (org_id, subscription_id),
        ).fetchone()
    try:
        return _opened(cipher, org_id, subscription_id, row[0]) if row else None
    except ConfigurationError:
        return None  # of no use to anybody; Planning Center has it, or gives another


def subscribed_orgs(connection: Connection[Any]) -> Mapping[str, str | None]:
    """The orgs that have subscriptions and were not removed, each with Planning Center's id of the church."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return dict(
            cursor.execute(
                "SELECT org_id, organization_id FROM sync.orgs WHERE removed_at IS NULL"
                " AND EXISTS (SELECT FROM sync.webhook_subscriptions AS kept WHERE kept.org_id = orgs.org_id)"
            ).fetchall()
        )


def removed_orgs(connection: Connection[Any]) -> Mapping[str, str | None]:
    """The orgs that were removed, each with Planning Center's id of a church that has no other org here."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return dict(cursor.execute(_REMOVED_ORGS).fetchall())


def secrets_of(connection: Connection[Any], cipher: Cipher, org_id: str) -> Mapping[str, tuple[bytes, ...]]:
    """By event, the secrets that deliveries to an org may be signed with; none of an org that was removed.

    Raises ConfigurationError when no key opens them.
    """
    found: dict[str, tuple[bytes, ...]] = {}
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(
            "SELECT event, subscription_id, secret FROM sync.webhook_subscriptions JOIN sync.orgs USING (org_id)"
            " WHERE org_id = %s AND removed_at IS NULL",
            (org_id,),
        ).fetchall()
    for event, subscription_id, sealed in rows:
        secret = _opened(cipher, org_id, subscription_id, sealed)
        found[event] = (*found.get(event, ()), secret.encode())
    return found


def _sealed(cipher: Cipher, org_id: str, subscription_id: str, secret: str) -> bytes:
    return cipher.encrypt(json.dumps([org_id, subscription_id, secret]).encode())


def _opened(cipher: Cipher, org_id: str, subscription_id: str, sealed: bytes) -> str:
    plain = json.loads(cipher.decrypt(sealed))
    if plain[:2] != [org_id, subscription_id]:
        raise ConfigurationError(
            f"a webhook secret kept for {org_id} belongs to another: openfaith-pipeline webhooks subscribe {org_id}"
        )
    return str(plain[2])
