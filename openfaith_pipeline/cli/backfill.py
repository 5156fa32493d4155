"""`backfill`: queue full syncs in Dagster, behind all other runs."""

import time
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from secrets import token_hex
from typing import Annotated, Any, Final

import typer

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.demo_running import demo_answers
from openfaith_pipeline.cli.org_names import OrgNames
from openfaith_pipeline.cli.selection import EveryOrg, Products, StreamNames, choose_orgs, choose_streams
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.inbox.requests import Request, get_request, resume_request
from openfaith_pipeline.inbox.sync_requests import request_sync
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sources import DEFAULT_SOURCE, streams_of_source
from openfaith_pipeline.sync.results import SyncMode

_LOOK_SECONDS: Final = 1.0
_HINT_AFTER_SECONDS: Final = 60.0
_LONGEST_NAME: Final = 100

Mode = Annotated[
    SyncMode,
    typer.Option(
        "--mode",
        help="full_refresh: everything, from the beginning. reconcile: everything, compared. incremental: changes.",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        help="Name of the backfill. Given again, it continues the same backfill: finished orgs are skipped, failed ones"
        " are retried.",
    ),
]
Detach = Annotated[bool, typer.Option("--detach", help="Return once it is queued.")]


def backfill(  # noqa: PLR0913, PLR0917 - one for each option
    orgs: OrgNames = None,
    every_org: EveryOrg = False,
    product: Products = None,
    stream: StreamNames = None,
    mode: Mode = SyncMode.FULL_REFRESH,
    name: Name = None,
    detach: Detach = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """Queue a sync of churches at the lowest priority, a run for each, and watch until all have ended.

    The runs are Dagster's, so its daemon must be running (`openfaith-pipeline dev`). Ctrl-C stops watching, not the
    backfill; give the printed name to watch it again.

    Examples:
      openfaith-pipeline backfill --all --product giving
      openfaith-pipeline backfill org_01k5t0w2m1e9qv4y8z3n7b6c5d --mode reconcile --detach
      openfaith-pipeline backfill --all --name giving-2026 --product giving

    Exit codes: 0 all done, or queued with --detach; 1 something failed, named on stderr; 2 wrong usage; 130 interrupted
    while watching.
    """
    called = _checked(name) if name is not None else f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}-{token_hex(2)}"
    streams = choose_streams(product or (), stream or ())
    with open_database(load_settings()) as database:
        chosen = choose_orgs(database, orgs or [], every_org=every_org)
        requests = _ask(database, [org.org_id for org in chosen], streams, mode, called)
        terminal.say(f"backfill {called}: queued for {terminal.number_of(len(requests), 'org')}")
        if not detach:
            with demo_answers(database, [org.org_id for org in chosen]):
                requests = _watch(database, requests)
    if as_json:
        terminal.print_json({"backfill": called, "orgs": {each.org_id: _described(each) for each in requests}})
    else:
        rows = [[each.org_id, each.status, each.run_id or "", each.error or ""] for each in requests]
        terminal.output().print(terminal.table(("org", "status", "run", ""), rows))
    raise typer.Exit(_complain(requests))


def _checked(name: str) -> str:
    if not (0 < len(name) <= _LONGEST_NAME and name.isascii() and name.isprintable()):
        raise UsageError(f"--name must be 1 to {_LONGEST_NAME} printable ASCII characters")
    return name


def _ask(
    database: Database, org_ids: Sequence[str], streams: Collection[Stream], mode: SyncMode, name: str
) -> list[Request]:
    """One request for each org; for a known backfill, its existing requests, with failed ones waiting again."""
    is_everything = len(streams) == len(streams_of_source(DEFAULT_SOURCE.adapter))
    names = None if is_everything else [stream.name for stream in streams]
    with database.connect() as connection:
        ids = [
            request_sync(
                connection,
                org_id,
                mode=mode.value,
                streams=names,
                trigger="backfill",
                idempotency_key=f"backfill:{name}",
                adapter=DEFAULT_SOURCE.adapter,
            )
            for org_id in org_ids
        ]
        return [resume_request(connection, request_id) for request_id in ids]


def _watch(database: Database, requests: Sequence[Request]) -> list[Request]:
    """Show progress until the requests have ended; returns them."""
    begun, told, is_hinted = time.monotonic(), "", False
    while True:
        with database.connect() as connection:
            now = [get_request(connection, each.request_id) for each in requests]
        counts = Counter(each.status for each in now)
        line = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        if line != told:
            terminal.say(line)
            told = line
        if not any(each.is_open for each in now):
            return now
        if not is_hinted and counts["waiting"] == len(now) and time.monotonic() - begun > _HINT_AFTER_SECONDS:
            terminal.say("no run is starting: is Dagster's daemon running? `openfaith-pipeline dev` starts it")
            is_hinted = True
        time.sleep(_LOOK_SECONDS)


def _described(request: Request) -> dict[str, Any]:
    return {
        "request_id": request.request_id,
        "status": request.status,
        "run_id": request.run_id,
        "error": request.error,
    }


def _complain(requests: Sequence[Request]) -> int:
    failed = [each for each in requests if each.status in {"failed", "canceled"}]
    for each in failed:
        terminal.complain(f"{each.org_id}: {each.status}: {each.error or 'see its run in Dagster'}")
    return 1 if failed else 0
