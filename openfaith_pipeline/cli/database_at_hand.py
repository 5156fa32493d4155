"""The database as far as it can be had without starting anything."""

from openfaith_pipeline.database.connection import configured_url
from openfaith_pipeline.database.server import running_server
from openfaith_pipeline.settings import Settings


def url_at_hand(settings: Settings) -> str | None:
    """Where the database is; None for an embedded one that does not run."""
    if not settings.is_embedded:
        return configured_url(settings)
    server = running_server(settings)
    return server.url() if server else None
