"""`webhooks`: subscriptions to Planning Center's events, and their deliveries."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import psycopg
import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.demo_running import run_at_source
from openfaith_pipeline.cli.org_names import OnlyOrg, OrgName, OrgNames, only_org_id, org_id_of, org_ids_of
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.orgs.naming import find_org
from openfaith_pipeline.orgs.registry import list_orgs
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sources import DEFAULT_SOURCE
from openfaith_pipeline.webhooks.deliveries import count_by_status, replay
from openfaith_pipeline.webhooks.ending import unsubscribe
from openfaith_pipeline.webhooks.secrets import subscriptions_of
from openfaith_pipeline.webhooks.state import state_of, want_subscriptions
from openfaith_pipeline.webhooks.subscriptions import Ensured, ensure_subscriptions, receiver_url

_STATUSES = ("applied", "superseded", "requested", "ignored", "failed")

webhooks_app = typer.Typer(no_args_is_help=True, help="Planning Center's events, as they happen.")

AllOrgs = Annotated[bool, typer.Option("--all", help="Every connected org that is not paused.")]
Since = Annotated[
    datetime | None,
    typer.Option(
        "--since",
        metavar="WHEN",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        help="Only those received since then (UTC), such as 2026-03-04 or 2026-03-04T05:06.",
    ),
]
Status = Annotated[
    list[str] | None,
    typer.Option("--status", metavar="STATUS", help=f"{', '.join(_STATUSES)}; may be repeated. Default failed."),
]
Event = Annotated[list[str] | None, typer.Option("--event", metavar="ID", help="Only this event; may be repeated.")]


@webhooks_app.command("subscribe")
def subscribe(orgs: OrgNames = None, all_orgs: AllOrgs = False, as_json: terminal.JsonOption = False) -> None:
    """Subscribe churches to every event about a synced type, and enable disabled subscriptions.

    The service does this automatically, for each church once an hour. Deliveries come to OPENFAITH_PUBLIC_URL.
    Subscriptions of others are left alone.

    Examples:
      openfaith-pipeline webhooks subscribe org_01k5t0w2m1e9qv4y8z3n7b6c5d
      openfaith-pipeline webhooks subscribe --all --json

    Exit codes: 0 subscribed; 1 a church could not be, named on stderr; 2 no such org, or OPENFAITH_PUBLIC_URL is unset.
    """
    settings = load_settings()
    receiver_url(settings, "", adapter=DEFAULT_SOURCE.adapter)
    with open_database(settings) as database:
        with database.connect() as connection:
            chosen = _chosen(connection, orgs or [], all_orgs=all_orgs)
            for org_id in chosen:
                want_subscriptions(connection, org_id, DEFAULT_SOURCE.adapter, is_wanted=True)
        ensured = run_at_source(database, chosen, lambda: _ensure(database, chosen))
    if as_json:
        terminal.print_json([asdict(each) for each in ensured])
    else:
        terminal.output().print(terminal.table(("org", "events", "added", "switched on"), map(_ensured_row, ensured)))
    failed = [each for each in ensured if each.problem]
    for each in failed:
        terminal.complain(f"{each.org_id}: {each.problem}")
    if failed:
        raise typer.Exit(1)


@webhooks_app.command("list")
def show(org: OnlyOrg = None, as_json: terminal.JsonOption = False) -> None:
    """Show each church's subscriptions, problems with them, and the outcome of stored deliveries.

    Examples:
      openfaith-pipeline webhooks list
      openfaith-pipeline webhooks list org_01k5t0w2m1e9qv4y8z3n7b6c5d --json

    Exit codes: 0 listed; 1 the database does not answer; 2 no such org.
    """
    with open_database(load_settings()) as database, database.connect() as connection:
        orgs = [find_org(connection, org)] if org else list_orgs(connection)
        counts = count_by_status(connection)
        found = [_look_at(connection, org.org_id, counts.get(org.org_id, {})) for org in orgs]
    if as_json:
        terminal.print_json([asdict(each) for each in found])
        return
    columns = ("org", "events", "checked", "pending", "failed", "problem")
    terminal.output().print(terminal.table(columns, map(_org_row, found), numbers=("events", "pending", "failed")))
    for event in found[0].events if org else ():
        terminal.report(event)


@webhooks_app.command("replay")
def replay_deliveries(
    org: OnlyOrg = None,
    since: Since = None,
    status: Status = None,
    event: Event = None,
    as_json: terminal.JsonOption = False,
) -> None:
    """Apply stored deliveries again: by default those that failed.

    Older data never overwrites newer. Deliveries are kept for 30 days.

    Examples:
      openfaith-pipeline webhooks replay
      openfaith-pipeline webhooks replay org_01k5t0w2m1e9qv4y8z3n7b6c5d --since 2026-03-04 --status applied

    Exit codes: 0 they will be applied next; 1 the database does not answer; 2 no such org or status.
    """
    statuses = status or ["failed"]
    unknown = sorted(set(statuses) - set(_STATUSES))
    if unknown:
        raise UsageError(f"--status {unknown[0]!r} is not one of {', '.join(_STATUSES)}")
    with open_database(load_settings()) as database, database.connect() as connection:
        org_id = only_org_id(connection, org)
        since_utc = since.replace(tzinfo=UTC) if since else None
        count = replay(connection, org_id=org_id, since=since_utc, statuses=statuses, event_ids=event or ())
    if as_json:
        terminal.print_json({"replayed": count})
        return
    terminal.output().print(f"{count:,} {'delivery' if count == 1 else 'deliveries'} will be applied again")


@webhooks_app.command("unsubscribe")
def end(org: OrgName, as_json: terminal.JsonOption = False) -> None:
    """Delete our subscriptions of a church until `webhooks subscribe`; it is still synced.

    Exit codes: 0 deleted; 1 Planning Center refuses or does not answer, and some may be left; 2 no such org.
    """
    with open_database(load_settings()) as database:
        with database.connect() as connection:
            org_id = org_id_of(connection, org)
        ended = run_at_source(database, [org_id], lambda: unsubscribe(database, org_id, adapter=DEFAULT_SOURCE.adapter))
    if as_json:
        terminal.print_json({"org_id": org_id, "ended": ended})
        return
    terminal.output().print(f"deleted {terminal.number_of(len(ended), 'subscription')} of {org_id}")


async def _ensure(database: Database, org_ids: Sequence[str]) -> list[Ensured]:
    return [await ensure_subscriptions(database, org_id, adapter=DEFAULT_SOURCE.adapter) for org_id in org_ids]


@dataclass(frozen=True)
class _Look:
    """An org's webhooks, ready to show."""

    org_id: str
    events: list[str]
    is_wanted: bool
    ensured_at: datetime | None
    problem: str | None
    deliveries: Mapping[str, int]


def _look_at(connection: psycopg.Connection[Any], org_id: str, deliveries: Mapping[str, int]) -> _Look:
    state = state_of(connection, org_id, DEFAULT_SOURCE.adapter)
    events = [subscription.event for subscription in subscriptions_of(connection, org_id, DEFAULT_SOURCE.adapter)]
    return _Look(org_id, events, state.is_wanted, state.ensured_at, state.problem, deliveries)


def _org_row(look: _Look) -> list[str]:
    problem = look.problem or ("" if look.is_wanted else "unsubscribed by hand")
    waiting, failed = (terminal.count(look.deliveries.get(status, 0)) for status in ("pending", "failed"))
    return [look.org_id, str(len(look.events)), terminal.moment(look.ensured_at), waiting, failed, problem]


def _ensured_row(ensured: Ensured) -> list[str]:
    return [ensured.org_id, *(str(len(names)) for names in (ensured.events, ensured.added, ensured.enabled))]


def _chosen(connection: psycopg.Connection[Any], names: list[str], *, all_orgs: bool) -> list[str]:
    if all_orgs == bool(names):
        raise UsageError("name the orgs to subscribe, or pass --all, but not both")
    if all_orgs:
        return [org.org_id for org in list_orgs(connection) if org.paused_at is None]
    return org_ids_of(connection, names)
