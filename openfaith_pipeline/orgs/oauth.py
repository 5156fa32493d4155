"""Connecting by OAuth: a browser is sent to Planning Center to approve, and comes back with a code.

What belongs to one such journey waits in `sync.oauth_journeys`: it is known by the state that Planning Center sends
back, bound to the browser that began it, good for ten minutes and for one return. PKCE binds the code to us as well.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import dict_row, tuple_row

from openfaith_pipeline.catalog import Product
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import GrantDead, UsageError
from openfaith_pipeline.orgs.cipher import Cipher, cipher_from
from openfaith_pipeline.orgs.organization import Organization, read_organization
from openfaith_pipeline.orgs.registry import add_org, api_url_of, get_org, new_org_id
from openfaith_pipeline.orgs.tokens import application_of
from openfaith_pipeline.planning_center.credentials import OAuthToken
from openfaith_pipeline.planning_center.token_endpoint import OAuthApplication, TokenEndpoint
from openfaith_pipeline.settings import Settings

GOOD_FOR: Final = timedelta(minutes=10)
SCOPES: Final = (*sorted(product.value for product in Product), "openid")
"""All that is synced, and `openid`, by which a token says whose it is."""

_LOCK_CLASS: Final = 0x0FA18
_BEGIN_AGAIN: Final = "begin again at /connect/pco"


@dataclass(frozen=True)
class Journey:
    """url: where the browser is to go. browser: what it has to bring back, as a cookie."""

    url: str
    browser: str


@dataclass(frozen=True)
class Connected:
    """Whom a journey has connected. is_new: the church was not known before."""

    org_id: str
    name: str
    is_new: bool


def begin_journey(
    connection: Connection[Any], settings: Settings, *, redirect_uri: str, org_id: str | None = None
) -> Journey:
    """Set out to connect a church, `org_id` again where it is given. The caller commits.

    Raises UnknownOrg, or ConfigurationError when OAuth is not set up.
    """
    api_url = api_url_of(connection, get_org(connection, org_id).org_id) if org_id else None
    application = application_of(settings, api_url)
    state, browser, verifier = (secrets.token_urlsafe(48) for _ in range(3))
    connection.execute("DELETE FROM sync.oauth_journeys WHERE began_at < now() - %s", (GOOD_FOR,))
    connection.execute(
        "INSERT INTO sync.oauth_journeys (state_hash, browser_hash, verifier, redirect_uri, org_id)"
        " VALUES (%s, %s, %s, %s, %s)",
        (_hash(state), _hash(browser), cipher_from(settings).encrypt(verifier.encode()), redirect_uri, org_id),
    )
    url = application.authorization_url(
        redirect_uri=redirect_uri, scopes=_scopes(settings), state=state, verifier=verifier
    )
    return Journey(url, browser)


def end_journey(database: Database, *, state: str, browser: str, code: str) -> Connected:
    """Turn the code into tokens and keep them for the church they are of, which is recognized when it is known.

    Raises UsageError when the journey is over, unknown or another browser's, when the code is refused, or the church
    is not the one expected; TransientError when Planning Center does not answer.
    """
    journey = take_journey(database, state=state, browser=browser)
    cipher = cipher_from(database.settings)
    with database.connect() as connection:
        api_url = api_url_of(connection, journey["org_id"]) if journey["org_id"] else None
    application = application_of(database.settings, api_url)
    token, organization = _redeem(application, cipher, journey, code)
    with database.connect() as connection:
        return _keep(connection, cipher, token, organization, journey["org_id"], api_url)


def take_journey(database: Database, *, state: str, browser: str) -> dict[str, Any]:
    """Use a journey up, whatever comes of it. Raises UsageError when it cannot be gone on with."""
    with database.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
        journey = cursor.execute(
            "DELETE FROM sync.oauth_journeys WHERE state_hash = %s"
            " RETURNING browser_hash, verifier, redirect_uri, org_id, began_at > now() - %s AS is_good",
            (_hash(state), GOOD_FOR),
        ).fetchone()
    if journey is None or not journey["is_good"]:
        raise UsageError(f"this way back was used before, or is older than ten minutes: {_BEGIN_AGAIN}")
    if not compare_digest(journey["browser_hash"], _hash(browser)):
        raise UsageError(f"this connection was begun in another browser: {_BEGIN_AGAIN}")
    return journey


def _redeem(
    application: OAuthApplication, cipher: Cipher, journey: dict[str, Any], code: str
) -> tuple[OAuthToken, Organization]:
    verifier = cipher.decrypt(journey["verifier"]).decode()
    with TokenEndpoint(application) as endpoint:
        try:
            token = endpoint.redeem(code, redirect_uri=journey["redirect_uri"], verifier=verifier)
        except GrantDead:
            raise UsageError(f"Planning Center does not take the code it has given: {_BEGIN_AGAIN}") from None
        found = endpoint.organization_of(token)
    if found:
        return token, Organization(*found)
    # Without the scope openid the token does not say; People's root does.
    return token, asyncio.run(read_organization(application.base_url, token))


def _keep(
    connection: Connection[Any],
    cipher: Cipher,
    token: OAuthToken,
    organization: Organization,
    expected: str | None,
    api_url: str | None,
) -> Connected:
    # One after the other, so that a church that connects twice at once is one org.
    lock = "SELECT pg_advisory_xact_lock(%s, hashtext(%s))"
    connection.execute(lock, (_LOCK_CLASS, organization.organization_id))
    known = _org_of(connection, organization, expected)
    org_id = known or expected or new_org_id()
    name = get_org(connection, org_id).name if expected else organization.name
    add_org(
        connection,
        cipher,
        org_id,
        name,
        token,
        api_url=api_url,
        organization_id=organization.organization_id,
    )
    return Connected(org_id, name, is_new=known is None and expected is None)


def _org_of(connection: Connection[Any], organization: Organization, expected: str | None) -> str | None:
    """The org that is this church's, one that was removed included; raise UsageError when another one was expected."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(
            "SELECT org_id, organization_id FROM sync.orgs WHERE organization_id = %s OR org_id = %s"
            " ORDER BY removed_at NULLS FIRST, created_at",
            (organization.organization_id, expected),
        ).fetchall()
    theirs = [org_id for org_id, organization_id in rows if organization_id == organization.organization_id]
    if expected is None or expected in theirs:
        return expected or next(iter(theirs), None)
    if theirs or any(organization_id for org_id, organization_id in rows if org_id == expected):
        raise UsageError(
            f"you have approved for {organization.name}, which is not the church to be connected again:"
            f" sign in to Planning Center as a user of that church, and {_BEGIN_AGAIN}"
        )
    return None


def _scopes(settings: Settings) -> Sequence[str]:
    return settings.pco_scopes or SCOPES


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
