"""How an org connects to a source: the client, the account, and OAuth, as each source provides them."""

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import timedelta
from typing import Final, Protocol

from pydantic import SecretStr

from openfaith_pipeline.catalog.reading import Client, Document
from openfaith_pipeline.catalog.source import Account
from openfaith_pipeline.network.credentials import Credentials, CredentialsProvider, OAuthToken
from openfaith_pipeline.network.rate_budget import RateBudget
from openfaith_pipeline.network.retrying import USUAL_PATIENCE, RetryLimits
from openfaith_pipeline.settings import Settings

SOMEONE_IS_WAITING: Final = RetryLimits(attempts=3, total=timedelta(seconds=20))


class TokenEndpoint(Protocol):
    """Exchanges of codes and refresh tokens.

    Every call raises GrantDead if the code or refresh token is permanently refused, ConfigurationError if our
    application is, and TransientError for responses that prove neither.
    """

    def redeem(self, code: str, *, redirect_uri: str, verifier: str) -> OAuthToken:
        """Exchange the code of an approval for tokens."""

    def refresh(self, refresh_token: SecretStr) -> OAuthToken:
        """A new pair of tokens; the refresh token is used up."""

    def organization_of(self, token: OAuthToken) -> tuple[str, str] | None:
        """Id and name of the church of a token; None if the source does not say."""


class Application(Protocol):
    """Our application as registered with the source. base_url: of the API it is registered with."""

    @property
    def base_url(self) -> str: ...

    def authorization_url(self, *, redirect_uri: str, scopes: Collection[str], state: str, verifier: str) -> str:
        """URL for the browser of the person who approves; the result is sent to `redirect_uri`."""

    def endpoint(self) -> AbstractContextManager[TokenEndpoint]:
        """A connection to the token endpoint."""


class Connector(Protocol):
    """Access to one source. Each source's package has one; `sources` joins them.

    The source itself reads its settings, so that no credentials of another source are ever sent to its address.
    """

    def api_url(self, settings: Settings) -> str:
        """Where the source answers, for connections without an address of their own."""

    def most_connections(self, settings: Settings) -> int:
        """How many connections to the source one process keeps at most."""

    def scopes(self, settings: Settings) -> Sequence[str]:
        """Scopes that a church is requested to approve."""

    def application(self, settings: Settings, base_url: str) -> Application:
        """Our application at this API. Raises ConfigurationError if none is set."""

    def open_client(
        self,
        base_url: str,
        credentials: Credentials | CredentialsProvider,
        *,
        budget: RateBudget | None = None,
        retry: RetryLimits = USUAL_PATIENCE,
        most_connections: int = ...,
    ) -> AbstractAsyncContextManager[Client]:
        """A client for the block. Raises ConfigurationError for an invalid URL."""

    async def read_account(
        self, base_url: str, credentials: Credentials, retry: RetryLimits = SOMEONE_IS_WAITING
    ) -> Account:
        """The church that the credentials belong to, found with one request."""

    async def read_root(self, client: Client) -> Document:
        """The cheapest request whose answer names the church."""

    async def read_user(self, client: Client) -> tuple[str, str] | None:
        """The person who owns the credentials, as stream and record id; takes one request.

        None if the answer does not say.
        """

    def normal_url(self, base_url: str) -> str:
        """The URL of an API in its normal form; raises ConfigurationError unless it can be one."""
