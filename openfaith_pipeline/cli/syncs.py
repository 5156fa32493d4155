"""`syncs`: recent syncs, and one of them stream by stream."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.org_names import OrgOption, only_org_id
from openfaith_pipeline.cli.outlook import outlook_in_words, outlook_of
from openfaith_pipeline.database import open_database
from openfaith_pipeline.errors import UnknownSync
from openfaith_pipeline.load.sync_leases import end_expired
from openfaith_pipeline.orgs.recent_syncs import RecentSync, find_sync_id, list_syncs
from openfaith_pipeline.orgs.sync_progress import StreamStep, SyncProgress, read_sync_progress
from openfaith_pipeline.settings import load_settings

syncs_app = typer.Typer(no_args_is_help=True, help="The record of syncs: when they ran, and how they ended.")

SyncId = Annotated[str, typer.Argument(metavar="SYNC_ID", help="As `syncs list` shows it, or a unique beginning.")]
Failing = Annotated[bool, typer.Option("--failing", help="Only those that failed or were interrupted.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many, the newest first.")]
WithAll = Annotated[bool, typer.Option("--all", help="Streams without any record or change, too.")]


@syncs_app.command("list")
def show_all(
    org: OrgOption = None, failing: Failing = False, limit: Limit = 20, as_json: terminal.JsonOption = False
) -> None:
    """List the newest syncs: their churches, modes, triggers and outcomes.

    \b
    Examples:
      openfaith-pipeline syncs list
      openfaith-pipeline syncs list --org "Cedar Hollow Chapel" --failing --json

    \b
    Exit codes: 0 listed; 1 the database does not answer; 2 no such org.
    """
    with open_database(load_settings()) as database, database.connect() as connection:
        end_expired(connection)
        found = list_syncs(connection, only_org_id(connection, org), only_failing=failing, limit=limit)
    if as_json:
        terminal.print_json([asdict(each) for each in found])
        return
    columns = ("sync", "status", "church", "mode", "by", "started", "took", "rows", "changes", "")
    table = terminal.table(
        columns,
        map(_row, found),
        numbers=("rows", "changes"),
        first_to_go=("", "by", "mode", "rows", "changes", "took"),
    )
    terminal.output().print(table)
    if not found:
        nothing = "nothing has been synced yet; next: openfaith-pipeline sync ORG"
        terminal.say("no sync failed or was interrupted" if failing else nothing)


@syncs_app.command("show")
def show_one(sync_id: SyncId, everything: WithAll = False, as_json: terminal.JsonOption = False) -> None:
    """Show a sync stream by stream; if it is running, also its progress and the time left.

    \b
    Examples:
      openfaith-pipeline syncs show 3f0c5a52-7f0e-4a06-b3b6-0a1f9a6b1c55
      openfaith-pipeline syncs show 3f0c5a52 --json

    \b
    Exit codes: 0 shown; 1 the database does not answer; 2 no such sync.
    """
    with open_database(load_settings()) as database, database.connect() as connection:
        end_expired(connection)
        progress = read_sync_progress(connection, find_sync_id(connection, sync_id))
    if progress is None:
        raise UnknownSync(f"there is no sync {sync_id}; `openfaith-pipeline syncs list` shows recent syncs")
    if as_json:
        terminal.print_json(_described(progress))
        return
    _print(progress, everything=everything)


def _print(progress: SyncProgress, *, everything: bool) -> None:
    told = [step for step in progress.streams if everything or not _is_uneventful(step)]
    numbers = ("rows", "new", "changed", "deleted", "requests", "took")
    title = f"sync {progress.sync_id}, {progress.mode} by {progress.trigger}: {progress.status}"
    table = terminal.table(
        ("org", "stream", "status", *numbers, ""),
        map(_step_row, told),
        title=title,
        numbers=numbers,
        first_to_go=("requests", "took", "deleted", "changed", "new", "rows", "org"),
    )
    terminal.output().print(table)
    if untold := len(progress.streams) - len(told):
        terminal.say(f"{terminal.number_of(untold, 'stream')} without any change left out; --all shows them")
    if progress.is_running:
        terminal.say(outlook_in_words(outlook_of(progress)))
    terminal.say(f"started {terminal.moment_and_age(progress.started_at)}; took {terminal.duration(progress.seconds)}")
    if progress.error:
        terminal.complain(progress.error)


def _is_uneventful(step: StreamStep) -> bool:
    is_changed = step.inserted or step.updated or step.deleted or step.quarantined
    return step.status in {"succeeded", "waiting"} and not is_changed and not step.error


def _row(sync: RecentSync) -> list[str]:
    return [
        sync.sync_id,
        sync.status,
        _churches(sync),
        sync.mode,
        sync.trigger,
        terminal.moment_and_age(sync.started_at),
        "" if sync.finished_at is None else terminal.duration((sync.finished_at - sync.started_at).total_seconds()),
        terminal.count(sync.fetched),
        terminal.count(sync.changed),
        sync.error or "",
    ]


def _churches(sync: RecentSync) -> str:
    return sync.names[0] if len(sync.names) == 1 else terminal.number_of(len(sync.names), "org")


def _step_row(step: StreamStep) -> list[str]:
    took = (step.finished_at - step.started_at).total_seconds() if step.finished_at and step.started_at else None
    return [
        step.org_id,
        step.stream,
        step.status,
        *(terminal.count(getattr(step, name)) for name in ("fetched", "inserted", "updated", "deleted", "requests")),
        "" if took is None else terminal.duration(took),
        step.error or "",
    ]


def _described(progress: SyncProgress) -> dict[str, Any]:
    whole = {name: value for name, value in asdict(progress).items() if name != "streams"}
    orgs: dict[str, dict[str, Any]] = {}
    for step in progress.streams:
        described = {name: value for name, value in asdict(step).items() if name not in {"org_id", "stream"}}
        orgs.setdefault(step.org_id, {})[step.stream] = described
    figures = ("rows", "requests", "share", "seconds", "seconds_left")
    return {**whole, **{name: getattr(progress, name) for name in figures}, "orgs": orgs}
