"""`demo`: two simulated churches, synced through Dagster into the embedded Postgres."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from openfaith_pipeline.catalog import STREAMS
from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.demo_churches import (
    DemoChurches,
    connect_churches,
    free_port,
    load_demo,
    start_simulator,
)
from openfaith_pipeline.cli.progress import waited_of
from openfaith_pipeline.cli.supervisor import Supervisor
from openfaith_pipeline.cli.sync import complain_of_failures, describe_sync, run_shown, tabulate_report
from openfaith_pipeline.database import open_database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.orgs.registry import Org
from openfaith_pipeline.settings import load_settings

if TYPE_CHECKING:
    from openfaith_pipeline.defs.execution import OrgReport

RELEASE_DATABASE = (sys.executable, "-m", "openfaith_pipeline.cli", "db", "stop", "--unused")

_NEXT = """
The data stays in {home}. Next:
  make dev                        the Dagster UI on it
  {program} status
  {program} db url                where to query it, for example
      SELECT "lastName", count(*) FROM "openfaith_people" GROUP BY 1 ORDER BY 2 DESC LIMIT 5;
"""


def demo(as_json: terminal.JsonOption = False, verbose: terminal.VerboseOption = False) -> None:
    """Sync two made-up churches from a simulated Planning Center, to see how it goes. Needs nothing set up.

    The simulator answers about as slowly as the real one and has its rate limit. Run again, it syncs again.

    \b
    Exit codes: 0 all was synced; 1 something was not; 2 DB_* is set, or OPENFAITH_HOME cannot be used.
    """
    settings = load_settings()
    if not settings.is_embedded:
        raise UsageError("DB_HOST_PRIMARY is set, and the demo's churches do not belong in your database: unset DB_*")
    with open_database(settings) as database, Supervisor(terminal.say, RELEASE_DATABASE) as supervisor:
        churches = load_demo(settings) or DemoChurches(free_port())
        churches = start_simulator(churches, settings, supervisor)
        orgs = connect_churches(churches, database)
        terminal.say(f"syncing {len(orgs)} simulated churches from {churches.url}")
        began_at = time.monotonic()
        sync_id, reports = run_shown(database, orgs, tuple(STREAMS.values()), is_verbose=verbose)
        seconds = time.monotonic() - began_at
    if as_json:
        terminal.print_json({**describe_sync(sync_id, reports), "seconds": round(seconds, 3)})
    else:
        _print_outcome(orgs, reports, seconds)
        typer.echo(_NEXT.format(home=_shortened(settings.home), program=_shortened(Path(sys.argv[0]))))
    raise typer.Exit(complain_of_failures(reports))


def _print_outcome(orgs: Sequence[Org], reports: Mapping[str, "OrgReport"], seconds: float) -> None:
    out = terminal.output()
    for org in orgs:
        out.print(tabulate_report(org, reports[org.org_id]), "")
    changes = [
        [table, *(terminal.count(reports[org.org_id].tables[table].row_count) for org in orgs)]
        for table in reports[orgs[0].org_id].tables
    ]
    names = [org.name for org in orgs]
    out.print(terminal.table(("OpenFaith table", *names), changes, numbers=names), "")
    results = [result for report in reports.values() for result in report.streams.values()]
    rows, requests = sum(result.fetched for result in results), sum(result.requests for result in results)
    waited = max((waited_of(result) for result in results), default=0.0)
    out.print(
        f"{rows:,} rows by {requests:,} requests in {terminal.duration(seconds)}: {rows / seconds:,.0f} rows a second,"
        f" with {terminal.duration(waited)} spent waiting for Planning Center's rate limit"
    )


def _shortened(path: Path) -> str:
    """The path as seen from here, when it is below."""
    here = Path.cwd()
    return os.path.relpath(path, here) if path.is_absolute() and path.is_relative_to(here) else str(path)
