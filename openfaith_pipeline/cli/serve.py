"""`serve`: the HTTP service."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Annotated

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.errors import DatabaseUnavailable
from openfaith_pipeline.settings import Settings, load_settings

Host = Annotated[
    str | None,
    typer.Option(
        "--host",
        help="Address to listen on; 0.0.0.0 for every network of the machine.",
        show_default="OPENFAITH_LISTEN, else 127.0.0.1",
    ),
]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")]


def serve(host: Host = None, port: Port = 3020) -> None:
    """Run the HTTP service: triggers, workflows, webhooks, OAuth and the status page, until Ctrl-C.

    Requests are in Postgres before they are answered. The service needs no Dagster to answer; Dagster executes the
    requests once it runs. OPENFAITH_API_KEYS sets who may use it; without it, only programs on this machine may.

    Examples:
      openfaith-pipeline serve
      OPENFAITH_API_KEYS=app:$(openssl rand -hex 24) openfaith-pipeline serve --host 0.0.0.0 --port 8080

    Exit codes: 0 stopped by Ctrl-C or SIGTERM; 1 the embedded Postgres does not start; 2 the port is in use, or
    configuration.
    """
    from openfaith_pipeline.service.server import serve as run_server

    # After the last response, uvicorn raises the signal that ended it again.
    settings = load_settings()
    host = host or settings.listen
    with suppress(KeyboardInterrupt), _database(settings) as database:
        if not database.settings.api_keys and host not in {"127.0.0.1", "::1", "localhost"}:
            terminal.say("OPENFAITH_API_KEYS is not set: callers from other machines will be refused")
        run_server(database, host, port, lambda url: terminal.output().print(f"The service is at {url}"))


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    """The database. A configured one need not answer yet: until it does, the service reports that it is not ready."""
    with ExitStack() as stack:
        try:
            database = stack.enter_context(open_database(settings))
        except DatabaseUnavailable as error:
            if settings.is_embedded:
                raise
            terminal.say(f"{error}; the service waits for it")
            database = database_at(settings, configured_url(settings))
        yield database
