"""Where an org's credentials are stored: encrypted in `sync.source_connections`, or in OpenFaith's own table of tokens.

A connection that was found in OpenFaith's database (`held_in` names the schema) has its tokens there alone, so that
both programs use and replace the same ones.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import dict_row, scalar_row
from pydantic import SecretStr

from openfaith_pipeline.connections.cipher import Cipher
from openfaith_pipeline.connections.openfaith_tokens import read_token, write_token
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.network.credentials import Credentials, OAuthToken, PersonalAccessToken

_ROW: Final = """
SELECT kind, secret, previous_secret, held_in, state, dead_grant, refresh_began_at, refresh_failed_at, refresh_error
FROM sync.source_connections WHERE org_id = %s AND adapter = %s
"""


_HELD_IN: Final = "SELECT held_in FROM sync.source_connections WHERE org_id = %s AND adapter = %s"


@dataclass(frozen=True)
class Held:
    """Stored state of a connection.

    previous: the pair of tokens before the current one, until that has worked.
    dead_grant: fingerprint of the refresh token that the token endpoint has declared dead.
    refresh_began_at: of a refresh without a stored result: under way, or interrupted.
    refresh_failed_at, refresh_error: of the last refresh, if it failed.
    """

    credentials: Credentials
    previous: OAuthToken | None
    state: str
    dead_grant: bytes | None
    refresh_began_at: datetime | None
    refresh_failed_at: datetime | None
    refresh_error: str | None


def read_held(
    connection: Connection[Any],
    cipher: Cipher,
    org_id: str,
    *,
    for_update: bool = False,
    adapter: str,
) -> Held:
    """The stored state. Raises ConfigurationError if there are no credentials, or no key decrypts them."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(f"{_ROW} FOR UPDATE" if for_update else _ROW, (org_id, adapter)).fetchone()
    if row is None:
        raise _missing(org_id)
    if row["held_in"]:
        credentials: Credentials | None = read_token(connection, row["held_in"], org_id, adapter, for_update=for_update)
    else:
        credentials = opened(cipher, org_id, row["kind"], row["secret"]) if row["secret"] else None
    if credentials is None:
        raise _missing(org_id)
    previous = opened(cipher, org_id, "oauth", row["previous_secret"]) if row["previous_secret"] else None
    return Held(
        credentials,
        previous if isinstance(previous, OAuthToken) else None,
        row["state"],
        row["dead_grant"],
        row["refresh_began_at"],
        row["refresh_failed_at"],
        row["refresh_error"],
    )


def replace_token(
    connection: Connection[Any],
    cipher: Cipher,
    org_id: str,
    seen: OAuthToken,
    new: OAuthToken,
    adapter: str,
) -> Credentials:
    """Replace `seen` by a new pair, and keep it as the previous one; returns the pair stored afterwards.

    Credentials that another process has stored meanwhile are kept and returned. The caller commits.
    """
    held = read_held(connection, cipher, org_id, for_update=True, adapter=adapter)
    if not is_same(held.credentials, seen):
        return held.credentials
    connection.execute(
        "UPDATE sync.source_connections SET previous_secret = %s, token_expires_at = %s, refresh_began_at = NULL,"
        " refresh_failed_at = NULL, refresh_error = NULL, updated_at = now() WHERE org_id = %s AND adapter = %s",
        (sealed(cipher, org_id, held.previous or seen), new.expires_at, org_id, adapter),
    )
    put_credentials(connection, cipher, org_id, new, adapter)
    return new


def is_held_there(connection: Connection[Any], org_id: str, adapter: str) -> bool:
    """Whether the credentials are in OpenFaith's own table of tokens."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(_HELD_IN, (org_id, adapter)).fetchone() is not None


def put_credentials(
    connection: Connection[Any],
    cipher: Cipher,
    org_id: str,
    credentials: Credentials,
    adapter: str,
) -> None:
    """Store credentials in the place used for this org. The caller commits."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        schema = cursor.execute(_HELD_IN, (org_id, adapter)).fetchone()
    if schema and isinstance(credentials, OAuthToken):
        write_token(connection, schema, org_id, adapter, credentials)
        return
    connection.execute(
        "UPDATE sync.source_connections SET kind = %s, secret = %s, held_in = NULL WHERE org_id = %s AND adapter = %s",
        (kind_of(credentials), sealed(cipher, org_id, credentials), org_id, adapter),
    )


def is_same(one: Credentials, other: Credentials) -> bool:
    """Whether both are the same token, regardless of its recorded lifetime."""
    if isinstance(one, OAuthToken) and isinstance(other, OAuthToken):
        return one.access_token == other.access_token
    return one == other


def fingerprint(token: OAuthToken) -> bytes | None:
    """Identifies a grant's refresh token without storing it; None if there is none."""
    return sha256(token.refresh_token.get_secret_value().encode()).digest() if token.refresh_token else None


def kind_of(credentials: Credentials) -> str:
    return "oauth" if isinstance(credentials, OAuthToken) else "personal_access_token"


def sealed(cipher: Cipher, org_id: str, credentials: Credentials) -> bytes:
    # The org is part of the encryption, so that the row cannot be used for another org.
    return cipher.encrypt(json.dumps({"org_id": org_id, **_plain(credentials)}).encode())


def opened(cipher: Cipher, org_id: str, kind: str, secret: bytes) -> Credentials:
    """The decrypted credentials. Raises ConfigurationError if no key decrypts them, or they belong to another org."""
    plain = json.loads(cipher.decrypt(secret))
    if plain["org_id"] != org_id:
        raise ConfigurationError(f"the credentials stored for {org_id} belong to another org: add it again")
    if kind == "personal_access_token":
        return PersonalAccessToken(plain["app_id"], SecretStr(plain["secret"]))
    refresh_token, expires_at = plain["refresh_token"], plain["expires_at"]
    return OAuthToken(
        SecretStr(plain["access_token"]),
        SecretStr(refresh_token) if refresh_token else None,
        datetime.fromisoformat(expires_at) if expires_at else None,
    )


def _plain(credentials: Credentials) -> dict[str, str | None]:
    if isinstance(credentials, PersonalAccessToken):
        return {"app_id": credentials.app_id, "secret": credentials.secret.get_secret_value()}
    refresh_token, expires_at = credentials.refresh_token, credentials.expires_at
    return {
        "access_token": credentials.access_token.get_secret_value(),
        "refresh_token": refresh_token.get_secret_value() if refresh_token else None,
        "expires_at": expires_at.isoformat() if expires_at else None,
    }


def _missing(org_id: str) -> ConfigurationError:
    return ConfigurationError(
        f"{org_id} has no credentials: connect it again with openfaith-pipeline org add {org_id} --app-id ..."
    )
