"""What opens an org's Planning Center: the two kinds of credentials, held so that printing them shows nothing."""

from dataclasses import dataclass
from datetime import datetime

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
