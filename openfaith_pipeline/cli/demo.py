"""`demo`: two simulated churches, synced through Dagster into the embedded Postgres."""

import shutil
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.demo_churches import (
    DemoChurches,
    connect_churches,
    free_port,
    let_people_join,
    load_demo,
    start_simulator,
)
from openfaith_pipeline.cli.demo_questions import print_answers
from openfaith_pipeline.cli.home import open_or_make
from openfaith_pipeline.cli.running import Show, run_shown
from openfaith_pipeline.cli.selection import Products, choose_streams
from openfaith_pipeline.cli.simulator import read_limit
from openfaith_pipeline.cli.sync_report import complain_of_failures, describe_sync, print_end
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.orgs.registry import Org
from openfaith_pipeline.processes.supervisor import Supervisor
from openfaith_pipeline.settings import Settings, load_settings
from openfaith_pipeline.simulator.newcomers import LISTED, LISTS

RELEASE_DATABASE = (sys.executable, "-m", "openfaith_pipeline.cli", "db", "stop", "--unused")

_NEXT = """
The data stays in {home}. Next:
  {program} dev             the Dagster UI on it
  {program} status
  {program} db url          where to query it, for example
      SELECT name, email, phone FROM openfaith.people_with_contacts LIMIT 5;
                                  docs/questions.md has more of the questions above
"""


def demo(
    people: Annotated[
        list[int] | None,
        typer.Option("--people", min=1, help="People in a church; repeat for more churches. Initially 100 and 50."),
    ] = None,
    rate_limit: Annotated[
        str | None,
        typer.Option("--rate-limit", metavar="N/SECONDS", help="Requests per time, or `none`. Initially 300/20."),
    ] = None,
    product: Products = None,
    as_json: terminal.JsonOption = False,
    verbose: terminal.VerboseOption = False,
    dagster_log: terminal.DagsterLogOption = False,
) -> None:
    """Sync two made-up churches from a simulated Planning Center. Needs no configuration.

    The simulator answers about as slowly as the real one, but allows 300 requests in 20 seconds instead of the usual
    100, so that it does not take long. When run again, it syncs again.

    Examples:
      openfaith-pipeline demo
      openfaith-pipeline demo --people 2000 --product people

    Exit codes: 0 all was synced; 1 something was not; 2 DB_* is set, or OPENFAITH_HOME cannot be used.
    """
    settings = load_settings()
    streams = choose_streams(product or (), ())
    if not settings.is_embedded:
        raise UsageError("DB_HOST_PRIMARY is set, and the demo's churches do not belong in your database: unset DB_*")
    with open_or_make(settings) as database, Supervisor(terminal.say, RELEASE_DATABASE) as supervisor:
        churches = start_simulator(_choose_churches(settings, people, rate_limit), settings, supervisor)
        orgs = connect_churches(churches, database)
        terminal.say(f"syncing {len(orgs)} simulated churches from {churches.url}")
        began_at = time.monotonic()
        sync_id, reports = run_shown(database, orgs, streams, show=Show(every_stream=verbose, dagster_log=dagster_log))
        seconds = time.monotonic() - began_at
        if not as_json:
            print_end(sync_id, orgs, reports, every_stream=verbose)
            _live_on(churches, database, orgs, streams)
            print_answers(database, orgs[0])
    if as_json:
        terminal.print_json({**describe_sync(sync_id, reports), "seconds": round(seconds, 3)})
    else:
        terminal.say(f"all done in {terminal.duration(seconds)}, including Dagster's records and the OpenFaith tables")
        typer.echo(_NEXT.format(home=_shortened(settings.home), program=_program()))
    raise typer.Exit(complain_of_failures(reports))


def _live_on(churches: DemoChurches, database: Database, orgs: Sequence[Org], streams: Collection[Stream]) -> None:
    """After the first sync, let people join a list and sync it again."""
    changed = [stream for stream in streams if stream.name in {LISTS, LISTED}]
    if churches.newcomers or len(changed) < 2:
        return
    joined = let_people_join(churches, database.settings).newcomers
    terminal.say(f"{joined} people join the list Members of each church; syncing it again")
    run_shown(database, orgs, changed)


def _choose_churches(settings: Settings, people: Sequence[int] | None, rate_limit: str | None) -> DemoChurches:
    """The churches of the last demo, with the given options changed."""
    churches = load_demo(settings) or DemoChurches(free_port(), until=datetime.now(UTC).date().isoformat())
    if people:
        sizes = tuple(people)
        churches = replace(churches, sizes=sizes, newcomers=churches.newcomers if sizes == churches.sizes else 0)
    if rate_limit:
        read_limit(rate_limit)
        churches = replace(churches, rate_limit=rate_limit)
    return churches


def _program() -> str:
    """How to type this program here: by its name if it is in PATH, else by its path."""
    program = Path(sys.executable).with_name("openfaith-pipeline")
    return program.name if shutil.which(program.name) == str(program) else _shortened(program)


def _shortened(path: Path) -> str:
    """The path relative to the current directory, if it is below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
