"""`alerts`: incidents that need attention."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from openfaith_pipeline.alerts.incidents import Alert, list_alerts, resolve_alert_by_id
from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.org_names import OrgOption, only_org_id
from openfaith_pipeline.database import open_database
from openfaith_pipeline.errors import DeliveryFailed, UsageError
from openfaith_pipeline.orgs.registry import list_orgs
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.text.printable import printable

alerts_app = typer.Typer(no_args_is_help=True, help="Incidents that are not over yet.")

_LABEL_WIDTH = 16

WithResolved = Annotated[bool, typer.Option("--all", help="Include closed ones.")]
AlertId = Annotated[int, typer.Argument(metavar="ALERT", help="Its number, as `alerts list` shows it.", min=1)]


@alerts_app.command("list")
def show(org: OrgOption = None, with_resolved: WithResolved = False, as_json: terminal.JsonOption = False) -> None:
    """List the open alerts: the event, the remedy, and the channels that have delivered it.

    Examples:
      openfaith-pipeline alerts list
      openfaith-pipeline alerts list --org org_01k5t0w2m1e9qv4y8z3n7b6c5d --all --json

    Exit codes: 0 listed; 1 the database does not answer; 2 no such org.
    """
    with open_database(load_settings()) as database, database.connect() as connection:
        alerts = list_alerts(connection, org_id=only_org_id(connection, org), with_resolved=with_resolved)
        names = {each.org_id: each.name for each in list_orgs(connection)}
    if as_json:
        terminal.print_json([asdict(alert) for alert in alerts])
        return
    for alert in alerts:
        _print(alert, names.get(alert.org_id or ""))
    if not alerts:
        terminal.say("no open alerts")


@alerts_app.command("resolve")
def resolve(alert_id: AlertId, as_json: terminal.JsonOption = False) -> None:
    """Close an alert by hand. A problem that persists raises a new one, which is sent again.

    Exit codes: 0 closed; 1 the database does not answer; 2 no open alert of that number.
    """
    with open_database(load_settings()) as database, database.connect() as connection:
        alert = resolve_alert_by_id(connection, alert_id)
    if as_json:
        terminal.print_json(asdict(alert))
        return
    terminal.report(f"resolved {alert.id}: {alert.message}")


@alerts_app.command("test")
def test(as_json: terminal.JsonOption = False) -> None:
    """Send a test message to each configured channel.

    Exit codes: 0 sent to all; 1 a channel failed; 2 no channel is configured.
    """
    from openfaith_pipeline.alerts.channels import channels_of

    channels = channels_of(load_settings())
    if not channels:
        raise UsageError(
            "no channel is configured: set OPENFAITH_SLACK_WEBHOOK, OPENFAITH_ALERT_EMAIL with OPENFAITH_SMTP_HOST, or"
            " OPENFAITH_ALERT_URLS"
        )
    outcomes: dict[str, str | None] = {}
    for channel in channels:
        try:
            channel.send("a test", "This is a test of the alerts; nothing is wrong.", "nothing")
            outcomes[channel.name] = None
        except DeliveryFailed as error:
            outcomes[channel.name] = str(error)
    if as_json:
        terminal.print_json({name: {"sent": failure is None, "error": failure} for name, failure in outcomes.items()})
    for name, failure in outcomes.items():
        terminal.complain(f"{name}: {failure}") if failure else terminal.say(f"{name}: sent")
    if any(outcomes.values()):
        raise typer.Exit(1)


def _print(alert: Alert, name: str | None) -> None:
    """One block: kind and church, event, remedy, since when, and the channels that it went to."""
    over = f", over since {terminal.moment(alert.resolved_at)}" if alert.resolved_at else ""
    church = f"{name} ({alert.org_id})" if name else alert.org_id or "no single church"
    times = "" if alert.count == 1 else f", noticed {terminal.count(alert.count)} times"
    sent = ", ".join(alert.delivered_to) or (
        f"nobody: {alert.delivery_error}" if alert.delivery_error else "nobody yet"
    )
    out = terminal.output()
    out.print(Text(printable(f"{alert.id}  {alert.kind.replace('_', ' ')}, {church}{over}"), "bold"))
    for label, text in (
        ("what happened", alert.message),
        ("what to do", alert.mend),
        ("since", f"{terminal.moment_and_age(alert.first_seen_at)}{times}"),
        ("sent to", sent),
    ):
        line = Table.grid(padding=(0, 2, 0, 0))
        line.add_column(min_width=_LABEL_WIDTH)
        line.add_column(overflow="fold")
        line.add_row(f"   {label}", Text(printable(text)))
        out.print(line)
    out.print()
