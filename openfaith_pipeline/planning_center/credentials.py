"""What opens an org's Planning Center: the two kinds of credentials, held so that printing them shows nothing.

A client asks a provider for them before each request, so that a sync may outlast a token.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr


@dataclass(frozen=True)
class PersonalAccessToken:
    """Acts as the user who made it; sent as HTTP Basic. For one church only."""

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
    """Where a client has its credentials from."""

    async def current(self) -> Credentials:
        """Those to send now; a token about to expire is renewed first. Raises ConnectionRejected or TransientError."""

    async def renewed(self, refused: Credentials) -> Credentials | None:
        """Others, for those that were answered with 401; None where there can be none."""

    async def worked(self, credentials: Credentials) -> None:
        """Hear that these were accepted; told once of each."""


@dataclass(frozen=True)
class FixedCredentials:
    """The provider of credentials that stay as they are."""

    credentials: Credentials

    async def current(self) -> Credentials:
        return self.credentials

    async def renewed(self, refused: Credentials) -> Credentials | None:  # noqa: ARG002 - the protocol's
        return None

    async def worked(self, credentials: Credentials) -> None: ...
