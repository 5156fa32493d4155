"""Connecting by OAuth: a browser is sent to Planning Center for approval, and comes back with a code.

The state of such a journey is stored in `sync.oauth_journeys`: found by the `state` that Planning Center returns, bound
to the browser that began it, valid for ten minutes and for one return. PKCE also binds the code to us.

An approval alone never binds an org to a church: the organization id must match, and if none is known, the journey must
begin with an invitation. A grant that reads fewer products than a working current one waits in its journey until the
person in the browser has confirmed it.
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import dict_row, tuple_row

from openfaith_pipeline.catalog.connecting import Application
from openfaith_pipeline.catalog.source import Account, Product
from openfaith_pipeline.connections.cipher import Cipher, cipher_from
from openfaith_pipeline.connections.credentials import opened, sealed
from openfaith_pipeline.connections.grants import lost_products, read_now
from openfaith_pipeline.connections.invitations import hash_of, invited_org, use_invitation
from openfaith_pipeline.connections.oauth_tokens import application_of
from openfaith_pipeline.connections.registry import add_org, own_api_url
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import GrantDead, UsageError
from openfaith_pipeline.network.credentials import OAuthToken
from openfaith_pipeline.orgs.registry import get_org, lock_church, new_org_id, number_of
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.sources import CONNECTORS, SOURCES

GOOD_FOR: Final = timedelta(minutes=10)


@dataclass(frozen=True)
class Journey:
    """url: to redirect the browser to. browser: a secret it must bring back, as a cookie."""

    url: str
    browser: str


@dataclass(frozen=True)
class Narrower:
    """A new grant that is not stored yet, because it may not read products that the current one reads.

    confirmation: the browser must send it, with its cookie, to have the grant stored anyway.
    """

    confirmation: str
    name: str
    lost: Sequence[Product]


@dataclass(frozen=True)
class Connected:
    """The result of a journey. is_new: the church was not known before."""

    org_id: str
    name: str
    is_new: bool


def begin_journey(
    connection: Connection[Any],
    settings: Settings,
    *,
    adapter: str,
    redirect_uri: str,
    org_id: str | None = None,
    invitation: str | None = None,
) -> Journey:
    """Begin to connect a church, or `org_id` again. The caller commits.

    invitation: its token, which determines the org; required for an org whose organization id is not known.
    Raises UnknownOrg, UsageError if an invitation is missing or over, ConfigurationError if OAuth is not configured.
    """
    if invitation:
        org_id = invited_org(connection, invitation)
    elif org_id and number_of(connection, get_org(connection, org_id).org_id, adapter) is None:
        raise UsageError(
            "the Planning Center organization of this org is not known, so connecting it takes an invitation:"
            " ask the operator for one (openfaith-pipeline org invite)"
        )
    application = application_of(connection, settings, org_id, adapter)
    state, browser, verifier = (secrets.token_urlsafe(48) for _ in range(3))
    connection.execute("DELETE FROM sync.oauth_journeys WHERE began_at < now() - %s", (GOOD_FOR,))
    connection.execute(
        _BEGIN,
        {
            "state": _hash(state),
            "browser": _hash(browser),
            "verifier": cipher_from(settings).encrypt(verifier.encode()),
            "redirect_uri": redirect_uri,
            "org_id": org_id,
            "invitation": hash_of(invitation) if invitation else None,
        },
    )
    scopes = CONNECTORS[adapter].scopes(settings)
    url = application.authorization_url(redirect_uri=redirect_uri, scopes=scopes, state=state, verifier=verifier)
    return Journey(url, browser)


def end_journey(database: Database, *, adapter: str, state: str, browser: str, code: str) -> Connected | Narrower:
    """Exchange the code for tokens and store them for their church, which is recognized if it is known.

    Raises UsageError if the journey is over, unknown or another browser's, if the code is refused, or if the church is
    not the expected one; TransientError if Planning Center does not respond.
    """
    journey = take_journey(database, adapter=adapter, state=state, browser=browser)
    cipher = cipher_from(database.settings)
    with database.connect() as connection:
        application = application_of(connection, database.settings, journey["org_id"], adapter)
    token, account = _redeem(application, cipher, journey, code, adapter)
    with database.connect() as connection:
        org_id = _org_of(connection, account, journey, adapter)
        streams = read_now(connection, org_id, adapter) if org_id else []
    lost = asyncio.run(lost_products(application.base_url, token, streams, adapter)) if streams else []
    with database.connect() as connection:
        if org_id and lost:
            confirmation = _set_aside(connection, cipher, journey, org_id, token, account)
            return Narrower(confirmation, get_org(connection, org_id).name, lost)
        return _keep(connection, cipher, token, account, journey, adapter)


def confirm_journey(database: Database, *, adapter: str, confirmation: str, browser: str) -> Connected:
    """Store the grant of a journey that ended as Narrower. Raises UsageError as `end_journey` does."""
    journey = _take(database, confirmation, browser, _TAKE_GRANTED, adapter)
    cipher = cipher_from(database.settings)
    token = opened(cipher, journey["org_id"], "oauth", journey["granted"])
    assert isinstance(token, OAuthToken)  # noqa: S101 - `opened` returns one for this kind
    account = Account(journey["organization_id"], journey["organization_name"])
    with database.connect() as connection:
        return _keep(connection, cipher, token, account, journey, adapter)


def take_journey(database: Database, *, adapter: str, state: str, browser: str) -> dict[str, Any]:
    """Use a journey up, whatever the result. Raises UsageError if it cannot be continued."""
    return _take(database, state, browser, _TAKE, adapter)


_BEGIN: Final = """
INSERT INTO sync.oauth_journeys (state_hash, browser_hash, verifier, redirect_uri, org_id, invitation_hash)
VALUES (%(state)s, %(browser)s, %(verifier)s, %(redirect_uri)s, %(org_id)s, %(invitation)s)
"""
_TAKE: Final = """
DELETE FROM sync.oauth_journeys WHERE state_hash = %s AND granted IS NULL
RETURNING *, began_at > now() - %s AS is_good
"""
_TAKE_GRANTED: Final = """
DELETE FROM sync.oauth_journeys WHERE state_hash = %s AND granted IS NOT NULL
RETURNING *, began_at > now() - %s AS is_good
"""
_SET_ASIDE: Final = """
INSERT INTO sync.oauth_journeys (state_hash, browser_hash, verifier, redirect_uri, org_id, invitation_hash, granted,
    organization_id, organization_name)
VALUES (%(state)s, %(browser_hash)s, %(verifier)s, %(redirect_uri)s, %(org_id)s, %(invitation_hash)s, %(granted)s,
    %(organization_id)s, %(organization_name)s)
"""


def _take(database: Database, secret: str, browser: str, statement: LiteralString, adapter: str) -> dict[str, Any]:
    with database.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
        journey = cursor.execute(statement, (_hash(secret), GOOD_FOR)).fetchone()
    if journey is None or not journey["is_good"]:
        raise UsageError(f"this redirect was already used, or is older than ten minutes: {_begin_again(adapter)}")
    if not compare_digest(journey["browser_hash"], _hash(browser)):
        raise UsageError(f"this connection was started in another browser: {_begin_again(adapter)}")
    return journey


def _set_aside(
    connection: Connection[Any],
    cipher: Cipher,
    journey: Mapping[str, Any],
    org_id: str,
    token: OAuthToken,
    account: Account,
) -> str:
    """Store the grant until the person confirms it; returns the confirmation token."""
    confirmation = secrets.token_urlsafe(48)
    granted = {
        "state": _hash(confirmation),
        "granted": sealed(cipher, org_id, token),
        "organization_id": account.number,
        "organization_name": account.name,
    }
    connection.execute(_SET_ASIDE, {**journey, **granted, "org_id": org_id})
    return confirmation


def _redeem(
    application: Application, cipher: Cipher, journey: dict[str, Any], code: str, adapter: str
) -> tuple[OAuthToken, Account]:
    verifier = cipher.decrypt(journey["verifier"]).decode()
    with application.endpoint() as endpoint:
        try:
            token = endpoint.redeem(code, redirect_uri=journey["redirect_uri"], verifier=verifier)
        except GrantDead:
            raise UsageError(
                f"{SOURCES[adapter].title} does not accept the code it has issued: {_begin_again(adapter)}"
            ) from None
        found = endpoint.organization_of(token)
    if found:
        return token, Account(*found)
    # Without the scope openid the token does not identify its church; the account does.
    return token, asyncio.run(CONNECTORS[adapter].read_account(application.base_url, token))


def _keep(
    connection: Connection[Any],
    cipher: Cipher,
    token: OAuthToken,
    account: Account,
    journey: Mapping[str, Any],
    adapter: str,
) -> Connected:
    # Serialized, so that a church that connects twice at once is one org.
    lock_church(connection, account.number, adapter)
    known = _org_of(connection, account, journey, adapter)
    if journey["invitation_hash"] and journey["org_id"]:
        use_invitation(connection, journey["invitation_hash"], journey["org_id"])
    org_id = known or new_org_id()
    name = get_org(connection, org_id).name if journey["org_id"] else account.name
    api_url = own_api_url(connection, journey["org_id"], adapter) if journey["org_id"] else None
    number = account.number
    add_org(connection, cipher, org_id, name, token, api_url=api_url, organization_id=number, adapter=adapter)
    return Connected(org_id, name, is_new=known is None)


def _org_of(connection: Connection[Any], account: Account, journey: Mapping[str, Any], adapter: str) -> str | None:
    """The org of this church, possibly a removed one; None for a new church.

    Raises UsageError if another church was expected, or if only this approval says which church it is.
    """
    expected = journey["org_id"]
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(
            "SELECT org_id, number FROM sync.orgs JOIN sync.source_accounts USING (org_id)"
            " WHERE adapter = %s AND (number = %s OR org_id = %s) ORDER BY removed_at NULLS FIRST, created_at",
            (adapter, account.number, expected),
        ).fetchall()
    theirs = [org_id for org_id, number in rows if number == account.number]
    if expected is None or expected in theirs:
        return expected or next(iter(theirs), None)
    has_number = expected in {org_id for org_id, _ in rows}
    if theirs or has_number or not journey["invitation_hash"]:
        raise UsageError(
            f"you approved access for {account.name}, which is not the church being reconnected:"
            f" sign in to {SOURCES[adapter].title} as a user of that church, and {_begin_again(adapter)}"
        )
    return str(expected)


def _begin_again(adapter: str) -> str:
    return f"begin again at {SOURCES[adapter].connect_path}"


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
