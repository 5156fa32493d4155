"""The two kinds of credentials for an org's Planning Center, in types that never print the secrets.

A client gets them from a provider before each request, so that a sync may outlast a token.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr


@dataclass(frozen=True)
class PersonalAccessToken:
    """Acts as the user who made it; sent as HTTP Basic. Valid for one church only."""

    app_id: str
    secret: SecretStr


@dataclass(frozen=True)
class OAuthToken:
    """Granted by a church to our OAuth application; sent as a bearer token."""

    access_token: SecretStr
    refresh_token: SecretStr | None
    expires_at: datetime | None


Credentials = PersonalAccessToken | OAuthToken


class CredentialsProvider(Protocol):
    """Source of a client's credentials."""

    async def current(self) -> Credentials:
        """Credentials for the next request, refreshed if about to expire.

        Raises ConnectionRejected or TransientError.
        """

    async def renewed(self, refused: Credentials) -> Credentials | None:
        """New credentials after a 401 for `refused`; None if there are none."""

    async def worked(self, credentials: Credentials) -> None:
        """Called once for credentials that the server accepted."""


@dataclass(frozen=True)
class FixedCredentials:
    """Provider of constant credentials."""

    credentials: Credentials

    async def current(self) -> Credentials:
        return self.credentials

    async def renewed(self, refused: Credentials) -> Credentials | None:  # noqa: ARG002 - the protocol's
        return None

    async def worked(self, credentials: Credentials) -> None: ...
