"""Our webhook subscriptions at each source and their signing secrets. The caller commits.

A secret is encrypted together with its org and subscription, so that it cannot be decrypted in another row.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import tuple_row

from openfaith_pipeline.connections.cipher import Cipher
from openfaith_pipeline.errors import ConfigurationError

_SUBSCRIBED_ORGS: Final = """
SELECT org_id, adapter, number FROM sync.orgs LEFT JOIN sync.source_accounts USING (org_id)
 WHERE removed_at IS NULL
   AND EXISTS (SELECT FROM sync.source_webhook_subscriptions AS kept WHERE kept.org_id = orgs.org_id)
"""
_REMOVED_ORGS: Final = """
SELECT org_id, adapter, CASE WHEN NOT EXISTS (SELECT FROM sync.source_accounts AS other
                               JOIN sync.orgs AS theirs ON theirs.org_id = other.org_id AND theirs.removed_at IS NULL
                               WHERE other.adapter = account.adapter AND other.number = account.number) THEN number END
  FROM sync.orgs LEFT JOIN sync.source_accounts AS account USING (org_id) WHERE removed_at IS NOT NULL
"""


@dataclass(frozen=True)
class Subscription:
    """One of our subscriptions, as stored."""

    subscription_id: str
    event: str
    url: str


def subscriptions_of(connection: Connection[Any], org_id: str, adapter: str) -> list[Subscription]:
    """Our subscriptions of an org at this source, by event."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(
            "SELECT subscription_id, event, url FROM sync.source_webhook_subscriptions"
            " WHERE org_id = %s AND adapter = %s ORDER BY event, 1",
            (org_id, adapter),
        ).fetchall()
    return [Subscription(*row) for row in rows]


def keep_subscription(
    connection: Connection[Any], cipher: Cipher, org_id: str, adapter: str, subscription: Subscription, secret: str
) -> None:
    """Store a subscription with its secret, or the new secret of a known one."""
    sealed = _sealed(cipher, org_id, subscription.subscription_id, secret)
    connection.execute(
        "INSERT INTO sync.source_webhook_subscriptions (org_id, adapter, subscription_id, event, url, secret)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (org_id, adapter, subscription_id)"
        " DO UPDATE SET event = excluded.event, url = excluded.url, secret = excluded.secret",
        (org_id, adapter, subscription.subscription_id, subscription.event, subscription.url, sealed),
    )


def forget_subscription(connection: Connection[Any], org_id: str, adapter: str, subscription_id: str) -> None:
    connection.execute(
        "DELETE FROM sync.source_webhook_subscriptions WHERE org_id = %s AND adapter = %s AND subscription_id = %s",
        (org_id, adapter, subscription_id),
    )


def secret_of(
    connection: Connection[Any], cipher: Cipher, org_id: str, adapter: str, subscription_id: str
) -> str | None:
    """The stored secret of one of our subscriptions; None if there is none, or no key decrypts it."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(
            "SELECT secret FROM sync.source_webhook_subscriptions"
            " WHERE org_id = %s AND adapter = %s AND subscription_id = %s",
            (org_id, adapter, subscription_id),
        ).fetchone()
    try:
        return _opened(cipher, org_id, subscription_id, row[0]) if row else None
    except ConfigurationError:
        return None  # useless here; Planning Center has it, or issues another


Accounts = Mapping[str, frozenset[tuple[str, str]]]
"""Orgs, each with its accounts: the adapter and the source's own id of the church."""


def subscribed_orgs(connection: Connection[Any]) -> Accounts:
    """Live orgs with subscriptions at any source."""
    return _by_org(connection, _SUBSCRIBED_ORGS)


def removed_orgs(connection: Connection[Any]) -> Accounts:
    """Removed orgs, without the accounts that have another org here."""
    return _by_org(connection, _REMOVED_ORGS)


def _by_org(connection: Connection[Any], statement: LiteralString) -> Accounts:
    found: dict[str, set[tuple[str, str]]] = {}
    with connection.cursor(row_factory=tuple_row) as cursor:
        for org_id, adapter, number in cursor.execute(statement).fetchall():
            found.setdefault(org_id, set()).update([(adapter, number)] if number else [])
    return {org_id: frozenset(accounts) for org_id, accounts in found.items()}


def secrets_of(
    connection: Connection[Any], cipher: Cipher, org_id: str, adapter: str
) -> Mapping[str, tuple[bytes, ...]]:
    """By event, the secrets that may have signed the source's deliveries to an org; empty for a removed org.

    Raises ConfigurationError if no key decrypts them.
    """
    found: dict[str, tuple[bytes, ...]] = {}
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(
            "SELECT event, subscription_id, secret FROM sync.source_webhook_subscriptions JOIN sync.orgs USING (org_id)"
            " WHERE org_id = %s AND adapter = %s AND removed_at IS NULL",
            (org_id, adapter),
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
            f"a webhook secret stored for {org_id} belongs to another subscription:"
            f" openfaith-pipeline webhooks subscribe {org_id}"
        )
    return str(plain[2])
