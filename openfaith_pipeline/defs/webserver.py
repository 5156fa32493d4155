"""Dagster's web UI behind our guard: `python -m openfaith_pipeline.defs.webserver`.

Dagster's own command accepts no middleware, so this starts its application the way that command does.
"""

import argparse
import logging

import dagster as dg
import uvicorn
from dagster_webserver.app import create_app_from_workspace_process_context

from openfaith_pipeline.defs.dagster_private import WorkspaceFileTarget, WorkspaceProcessContext, configure_loggers
from openfaith_pipeline.defs.origin_guard import OriginGuard
from openfaith_pipeline.settings import load_settings

_STATEMENT_MILLISECONDS, _RECYCLE_SECONDS, _MAX_OVERFLOW = 15_000, 3_600, 20
"""Settings of Dagster's own command for a process that serves many short requests."""


def serve(host: str, port: int, workspace: str) -> None:
    """Serve the UI until SIGTERM or SIGINT."""
    configure_loggers(formatter="colored", log_level="WARNING")
    settings = load_settings()
    with dg.DagsterInstance.get() as instance:
        instance.optimize_for_webserver(_STATEMENT_MILLISECONDS, _RECYCLE_SECONDS, _MAX_OVERFLOW)
        target = WorkspaceFileTarget(paths=[workspace])
        with WorkspaceProcessContext(instance, version=dg.__version__, workspace_load_target=target) as context:
            app = create_app_from_workspace_process_context(context)
            logging.getLogger("dagster-webserver").info("serving on %s:%d", host, port)
            uvicorn.run(OriginGuard(app, settings.dagster_hosts), host=host, port=port, log_level="warning")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m openfaith_pipeline.defs.webserver", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--workspace", required=True, help="Dagster's workspace.yaml")
    arguments = parser.parse_args()
    serve(arguments.host, arguments.port, arguments.workspace)


if __name__ == "__main__":
    main()
