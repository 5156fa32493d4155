"""The command tree, and how an error becomes a message and an exit code."""

import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import psycopg
import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.alerts import alerts_app
from openfaith_pipeline.cli.backfill import backfill
from openfaith_pipeline.cli.catalog import show_catalog
from openfaith_pipeline.cli.database import database_app
from openfaith_pipeline.cli.deletes import deletes_app
from openfaith_pipeline.cli.demo import demo
from openfaith_pipeline.cli.dev import dev
from openfaith_pipeline.cli.history import show_history
from openfaith_pipeline.cli.orgs import orgs_app
from openfaith_pipeline.cli.quarantine import quarantine_app
from openfaith_pipeline.cli.rollback import rollback
from openfaith_pipeline.cli.serve import serve
from openfaith_pipeline.cli.simulator import simulate
from openfaith_pipeline.cli.status import show_status
from openfaith_pipeline.cli.sync import sync
from openfaith_pipeline.cli.webhooks import webhooks_app
from openfaith_pipeline.cli.worker import run_dagster, worker
from openfaith_pipeline.errors import OpenFaithError, UsageError

_EXIT_FAILED = 1
_EXIT_USAGE = 2

app = typer.Typer(
    name="openfaith-pipeline",
    help="Sync Planning Center Online into the OpenFaith database.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("demo")(demo)
app.command("dev")(dev)
app.command("serve")(serve)
app.command("worker")(worker)
app.command("dagster")(run_dagster)
app.command("sync")(sync)
app.command("backfill")(backfill)
app.command("status")(show_status)
app.command("history")(show_history)
app.command("rollback")(rollback)
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(deletes_app, name="deletes")
app.add_typer(alerts_app, name="alerts")
app.add_typer(orgs_app, name="org")
app.add_typer(webhooks_app, name="webhooks")
app.add_typer(database_app, name="db")
app.command("catalog")(show_catalog)
app.command("simulator")(simulate)


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one verb and exit: 0 all done, 1 something failed, 2 usage or configuration, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, _leave)
    try:
        app(args=given, prog_name="openfaith-pipeline")
    except (OpenFaithError, psycopg.OperationalError, OSError) as error:
        sys.exit(_explain(error, as_json="--json" in given))
    sys.exit(0)


def _explain(error: Exception, *, as_json: bool) -> int:
    """Name the error on stderr, and in the JSON where that was asked for; the exit code says whose turn it is."""
    code = _EXIT_USAGE if isinstance(error, UsageError) else _EXIT_FAILED
    message = str(error) if isinstance(error, OpenFaithError) else _in_our_words(error)
    terminal.complain(message)
    if as_json:
        terminal.print_json({"error": {"type": type(error).__name__, "message": message}})
    return code


def _in_our_words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"the database does not answer: {str(error).strip()}"


def _leave(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends a verb as Ctrl-C does: what it started is stopped on the way out."""
    raise KeyboardInterrupt
