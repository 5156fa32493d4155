"""Connecting by OAuth: a browser is sent to Planning Center to approve, and comes back with a code.

What belongs to one such journey waits in `sync.oauth_journeys`: it is known by the state that Planning Center sends
back, bound to the browser that began it, good for ten minutes and for one return. PKCE binds the code to us as well.

An approval never binds an org to a church by itself: the org's number at Planning Center has to be the same, and where
none is known, the journey has to begin with an invitation. A grant that reads fewer products than a present one that
works waits in its journey until the person in the browser has confirmed that.
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

from openfaith_pipeline.catalog.source import Account, Product
from openfaith_pipeline.connections.cipher import Cipher, cipher_from
from openfaith_pipeline.connections.credentials import opened, sealed
from openfaith_pipeline.connections.grants import lost_products, read_now
from openfaith_pipeline.connections.invitations import hash_of, invited_org, use_invitation
from openfaith_pipeline.connections.oauth_tokens import application_of
from openfaith_pipeline.connections.registry import add_org, api_url_of
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import GrantDead, UsageError
from openfaith_pipeline.orgs.registry import get_org, lock_church, new_org_id, number_of
from openfaith_pipeline.planning_center.account import read_account
from openfaith_pipeline.planning_center.credentials import OAuthToken
from openfaith_pipeline.planning_center.token_endpoint import OAuthApplication, TokenEndpoint
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.sources import DEFAULT_SOURCE, PRODUCTS

GOOD_FOR: Final = timedelta(minutes=10)
SCOPES: Final = (*sorted(PRODUCTS), "openid")
"""All that is synced, and `openid`, by which a token says whose it is."""

_BEGIN_AGAIN: Final = f"begin again at {DEFAULT_SOURCE.connect_path}"


@dataclass(frozen=True)
class Journey:
    """url: where the browser is to go. browser: what it has to bring back, as a cookie."""

    url: str
    browser: str


@dataclass(frozen=True)
class Narrower:
    """A new grant that is not kept yet, since it may not read products that the present one reads.

    confirmation: what the browser has to send, beside its cookie, to have it kept all the same.
    """

    confirmation: str
    name: str
    lost: Sequence[Product]


@dataclass(frozen=True)
class Connected:
    """Whom a journey has connected. is_new: the church was not known before."""

    org_id: str
    name: str
    is_new: bool


def begin_journey(
    connection: Connection[Any],
    settings: Settings,
    *,
    redirect_uri: str,
    org_id: str | None = None,
    invitation: str | None = None,
) -> Journey:
    """Set out to connect a church, `org_id` again where it is given. The caller commits.

    invitation: the token of one, which says which org it is; needed for an org whose number is not known.
    Raises UnknownOrg, UsageError when an invitation is missing or over, ConfigurationError when OAuth is not set up.
    """
    if invitation:
        org_id = invited_org(connection, invitation)
    elif org_id and number_of(connection, get_org(connection, org_id).org_id) is None:
        raise UsageError(
            "which church this org is at Planning Center is not known, so connecting it takes an invitation:"
            " ask the operator for one (openfaith-pipeline org invite)"
        )
    api_url = api_url_of(connection, org_id) if org_id else None
    application = application_of(settings, api_url)
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
    url = application.authorization_url(
        redirect_uri=redirect_uri, scopes=scopes_of(settings), state=state, verifier=verifier
    )
    return Journey(url, browser)


def end_journey(database: Database, *, state: str, browser: str, code: str) -> Connected | Narrower:
    """Turn the code into tokens and keep them for the church they are of, which is recognized when it is known.

    Raises UsageError when the journey is over, unknown or another browser's, when the code is refused, or the church
    is not the one expected; TransientError when Planning Center does not answer.
    """
    journey = take_journey(database, state=state, browser=browser)
    cipher = cipher_from(database.settings)
    with database.connect() as connection:
        api_url = api_url_of(connection, journey["org_id"]) if journey["org_id"] else None
    application = application_of(database.settings, api_url)
    token, account = _redeem(application, cipher, journey, code)
    with database.connect() as connection:
        org_id = _org_of(connection, account, journey)
        streams = read_now(connection, org_id) if org_id else []
    lost = asyncio.run(lost_products(application.base_url, token, streams)) if streams else []
    with database.connect() as connection:
        if org_id and lost:
            confirmation = _set_aside(connection, cipher, journey, org_id, token, account)
            return Narrower(confirmation, get_org(connection, org_id).name, lost)
        return _keep(connection, cipher, token, account, journey)


def confirm_journey(database: Database, *, confirmation: str, browser: str) -> Connected:
    """Keep the grant of a journey that ended as Narrower. Raises UsageError as `end_journey` does."""
    journey = _take(database, confirmation, browser, _TAKE_GRANTED)
    cipher = cipher_from(database.settings)
    token = opened(cipher, journey["org_id"], "oauth", journey["granted"])
    assert isinstance(token, OAuthToken)  # noqa: S101 - what `opened` returns for this kind
    account = Account(journey["organization_id"], journey["organization_name"])
    with database.connect() as connection:
        return _keep(connection, cipher, token, account, journey)


def take_journey(database: Database, *, state: str, browser: str) -> dict[str, Any]:
    """Use a journey up, whatever comes of it. Raises UsageError when it cannot be gone on with."""
    return _take(database, state, browser, _TAKE)


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


def _take(database: Database, secret: str, browser: str, statement: LiteralString) -> dict[str, Any]:
    with database.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
        journey = cursor.execute(statement, (_hash(secret), GOOD_FOR)).fetchone()
    if journey is None or not journey["is_good"]:
        raise UsageError(f"this way back was used before, or is older than ten minutes: {_BEGIN_AGAIN}")
    if not compare_digest(journey["browser_hash"], _hash(browser)):
        raise UsageError(f"this connection was begun in another browser: {_BEGIN_AGAIN}")
    return journey


def _set_aside(
    connection: Connection[Any],
    cipher: Cipher,
    journey: Mapping[str, Any],
    org_id: str,
    token: OAuthToken,
    account: Account,
) -> str:
    """Let the grant wait for the person's word; the confirmation that is asked for."""
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
    application: OAuthApplication, cipher: Cipher, journey: dict[str, Any], code: str
) -> tuple[OAuthToken, Account]:
    verifier = cipher.decrypt(journey["verifier"]).decode()
    with TokenEndpoint(application) as endpoint:
        try:
            token = endpoint.redeem(code, redirect_uri=journey["redirect_uri"], verifier=verifier)
        except GrantDead:
            raise UsageError(f"Planning Center does not take the code it has given: {_BEGIN_AGAIN}") from None
        found = endpoint.organization_of(token)
    if found:
        return token, Account(*found)
    # Without the scope openid the token does not say; People's root does.
    return token, asyncio.run(read_account(application.base_url, token))


def _keep(
    connection: Connection[Any],
    cipher: Cipher,
    token: OAuthToken,
    account: Account,
    journey: Mapping[str, Any],
) -> Connected:
    # One after the other, so that a church that connects twice at once is one org.
    lock_church(connection, account.number)
    known = _org_of(connection, account, journey)
    if journey["invitation_hash"] and journey["org_id"]:
        use_invitation(connection, journey["invitation_hash"], journey["org_id"])
    org_id = known or new_org_id()
    name = get_org(connection, org_id).name if journey["org_id"] else account.name
    api_url = api_url_of(connection, journey["org_id"]) if journey["org_id"] else None
    number = account.number
    add_org(connection, cipher, org_id, name, token, api_url=api_url, organization_id=number)
    return Connected(org_id, name, is_new=known is None)


def _org_of(connection: Connection[Any], account: Account, journey: Mapping[str, Any]) -> str | None:
    """The org that is this church's, one that was removed included, None for a new church.

    Raises UsageError when another church was expected, or when nothing but this approval says which church it is.
    """
    expected = journey["org_id"]
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(
            "SELECT org_id, organization_id FROM sync.orgs WHERE organization_id = %s OR org_id = %s"
            " ORDER BY removed_at NULLS FIRST, created_at",
            (account.number, expected),
        ).fetchall()
    theirs = [org_id for org_id, organization_id in rows if organization_id == account.number]
    if expected is None or expected in theirs:
        return expected or next(iter(theirs), None)
    has_number = any(organization_id for org_id, organization_id in rows if org_id == expected)
    if theirs or has_number or not journey["invitation_hash"]:
        raise UsageError(
            f"you have approved for {account.name}, which is not the church to be connected again:"
            f" sign in to Planning Center as a user of that church, and {_BEGIN_AGAIN}"
        )
    return str(expected)


def scopes_of(settings: Settings) -> Sequence[str]:
    """Scopes that a church is requested to approve."""
    return settings.oauth_scopes or SCOPES


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
