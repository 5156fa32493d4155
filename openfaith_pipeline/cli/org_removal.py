"""`org remove`: disconnect a church, after deleting our subscriptions at Planning Center."""

from typing import Annotated

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.demo_running import run_at_source
from openfaith_pipeline.cli.org_names import OrgName
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.orgs.health import read_health
from openfaith_pipeline.orgs.naming import find_org
from openfaith_pipeline.orgs.registry import list_orgs, remove_org
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sources import DEFAULT_SOURCE, SOURCES
from openfaith_pipeline.webhooks.ending import LeftOver, let_go
from openfaith_pipeline.webhooks.secrets import subscriptions_of


def remove(
    name: OrgName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """Disconnect a church from every source: delete its webhook subscriptions and its credentials, and stop syncing it.

    Its rows stay.

    Subscriptions that Planning Center does not let us delete are named; their next delivery is answered with 410, which
    deletes them there.

    Exit codes: 0 removed; 1 not confirmed, or the database does not answer; 2 no such org.
    """
    from openfaith_pipeline.cli.orgs import describe_org

    with open_database(load_settings()) as database:
        with database.connect() as connection:
            org = find_org(connection, name)
            org_id = org.org_id
            health = read_health(connection, [org_id], adapter=DEFAULT_SOURCE.adapter)[org_id]
            ours = {adapter: len(subscriptions_of(connection, org_id, adapter)) for adapter in SOURCES}
        if not yes:
            terminal.confirm(f"Disconnect {org_id} ({org.name})?")
        left_over = [_let_go(database, org_id, adapter, number) for adapter, number in ours.items()]
        _remove(database, org_id)
    for each in left_over:
        complain_of(org_id, each)
    if as_json:
        webhooks = {
            "ended": sum(each.ended for each in left_over),
            "left": [event for each in left_over for event in each.left],
            "problem": "; ".join(each.problem for each in left_over if each.problem) or None,
        }
        terminal.print_json({**describe_org(org, health), "done": "removed", "webhooks": webhooks})
        return
    terminal.report(f"removed {org.org_id} ({org.name})")


def _let_go(database: Database, org_id: str, adapter: str, number: int) -> LeftOver:
    if number:
        subscriptions = terminal.number_of(number, "webhook subscription")
        terminal.say(f"deleting {subscriptions} at {SOURCES[adapter].title}")
    return end_subscriptions(database, org_id, adapter)


def _remove(database: Database, org_id: str) -> None:
    from openfaith_pipeline.defs.instance import open_instance
    from openfaith_pipeline.defs.partitions import align_partitions

    with database.connect() as connection:
        remove_org(connection, org_id)
        org_ids = [org.org_id for org in list_orgs(connection)]
    with open_instance(database.settings, database) as instance:
        align_partitions(instance, org_ids)


def end_subscriptions(database: Database, org_id: str, adapter: str) -> LeftOver:
    """Delete our subscriptions of a church that is about to be removed; without any, no request is made."""
    with database.connect() as connection:
        reached = [org_id] if subscriptions_of(connection, org_id, adapter) else []
    return run_at_source(database, reached, lambda: let_go(database, org_id, adapter))


def complain_of(org_id: str, left_over: LeftOver) -> None:
    """Name the subscriptions that could not be deleted."""
    if left_over.left:
        terminal.complain(
            f"{terminal.number_of(len(left_over.left), 'webhook subscription')} of {org_id} could not be deleted:"
            f" {left_over.problem}. Each ends when its next delivery is answered with 410, or by hand at"
            " https://api.planningcenteronline.com/webhooks"
        )
