"""The server process."""

import resource
import socket
from collections.abc import Callable
from typing import Final

import uvicorn
from fastapi import FastAPI

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.gc_tuning import rare_collections
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.service.app import create_app
from openfaith_pipeline.service.applier_process import applier
from openfaith_pipeline.service.wire import WireLimits, wire_with
from openfaith_pipeline.telemetry.process import Role, telemetry

_GRACE_SECONDS: Final = 10
_OTHER_DESCRIPTORS: Final = 128
"""File descriptors reserved for Postgres, files and connections being accepted."""


def serve(database: Database, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; calls in progress are answered first.

    port: 0 for a free one. announce: called with the URL once connections are accepted.
    Raises UsageError if it cannot listen there.
    """
    app = create_app(database, host)
    listener = _listen(host, port)
    announce(f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}")
    with telemetry(database.settings, Role.SERVICE), applier(database), rare_collections():
        uvicorn.Server(config_of(app)).run(sockets=[listener])


def config_of(app: FastAPI) -> uvicorn.Config:
    """How the app is served.

    Of a call's path and query nothing is logged: OAuth brings secrets there. Nor are strangers' messages by the
    thousand: uvicorn warns of each request that it cannot read.
    """
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=wire_with(WireLimits(connections=_room_for_connections())),
        ws="none",
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def _room_for_connections() -> int:
    """Maximum number of connections: the configured one, or as many as the (raised) descriptor limit allows."""
    wanted = WireLimits().connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted + _OTHER_DESCRIPTORS:
        enough = wanted + _OTHER_DESCRIPTORS
        soft = enough if hard == resource.RLIM_INFINITY else min(enough, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(wanted, soft - _OTHER_DESCRIPTORS))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"cannot listen on {host}:{port}: {reason}; choose another --host or --port") from None
