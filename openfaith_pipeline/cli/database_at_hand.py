"""The database, if it can be reached without starting anything."""

from openfaith_pipeline.database.connection import configured_url
from openfaith_pipeline.database.server import running_server
from openfaith_pipeline.settings import Settings


def url_at_hand(settings: Settings) -> str | None:
    """URL of the database; None for an embedded one that is not running."""
    if not settings.is_embedded:
        return configured_url(settings)
    server = running_server(settings)
    return server.url() if server else None
