"""OAuth grants of the simulator's churches, as approving in a browser brings them."""

import http.client
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

from openfaith_pipeline.planning_center import OAuthToken
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.planning_center.token_endpoint import OAuthApplication, TokenEndpoint
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.simulator import SimulatorClient

CLIENT_ID, CLIENT_SECRET = "simulated-oauth-app", "made-up-oauth-secret"
REDIRECT_URI = "https://sync.example.org/connect/pco/callback"
SCOPES = tuple(product.value for product in Product)


def application(url: str) -> OAuthApplication:
    return OAuthApplication(url, CLIENT_ID, SecretStr(CLIENT_SECRET))


def with_oauth(settings: Settings, url: str) -> Settings:
    """The settings with the simulator's OAuth application."""
    return settings.model_copy(
        update={"pco_api_url": url, "pco_client_id": CLIENT_ID, "pco_client_secret": SecretStr(CLIENT_SECRET)}
    )


def visit(url: str) -> str:
    """Where a browser is sent from there."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    connection.request("GET", f"{parts.path}?{parts.query}", headers={"User-Agent": "a browser"})
    return connection.getresponse().headers["Location"]


def grant(simulator: SimulatorClient, org_id: str) -> OAuthToken:
    """The token that a church's approval yields."""
    simulator.sign_in(org_id)
    url = application(simulator.url).authorization_url(
        redirect_uri=REDIRECT_URI, scopes=SCOPES, state="s", verifier="v" * 50
    )
    code = parse_qs(urlsplit(visit(url)).query)["code"][0]
    with TokenEndpoint(application(simulator.url)) as endpoint:
        return endpoint.redeem(code, redirect_uri=REDIRECT_URI, verifier="v" * 50)
