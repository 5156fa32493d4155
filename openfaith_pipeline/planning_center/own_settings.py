"""Planning Center's own part of the settings: no other room reads a setting that begins with `pco_`."""

from collections.abc import Sequence

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.planning_center.source import PLANNING_CENTER
from openfaith_pipeline.planning_center.token_endpoint import OAuthApplication
from openfaith_pipeline.settings import Settings


def api_url(settings: Settings) -> str:
    """Where Planning Center answers, for connections without an address of their own."""
    return settings.pco_api_url or PLANNING_CENTER.api_url


def most_connections(settings: Settings) -> int:
    return settings.pco_connections


def scopes(settings: Settings) -> Sequence[str]:
    """Scopes for a church to approve: by default all that is synced, and `openid`, so that a token names its church."""
    return settings.pco_scopes or (*sorted(Product), "openid")


def application(settings: Settings, base_url: str) -> OAuthApplication:
    """Our application at this API; raises ConfigurationError if it is not set."""
    if not (settings.pco_client_id and settings.pco_client_secret):
        raise ConfigurationError(
            "OAuth is not configured: set PLANNING_CENTER_CLIENT_ID and PLANNING_CENTER_SECRET, found at"
            f" {PLANNING_CENTER.applications_url}"
        )
    return OAuthApplication(base_url, settings.pco_client_id, settings.pco_client_secret)
