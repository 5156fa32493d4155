"""`org`: the churches that are synced."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

import psycopg
import typer
from pydantic import SecretStr

from openfaith_pipeline.catalog.source import Account
from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.home import open_or_make
from openfaith_pipeline.cli.org_invite import invite
from openfaith_pipeline.cli.org_names import OrgName, org_id_of
from openfaith_pipeline.cli.org_privacy import erase, export
from openfaith_pipeline.cli.org_removal import remove
from openfaith_pipeline.cli.org_settings import set_schedule, show
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.grants import lost_products, read_now
from openfaith_pipeline.connections.oauth_tokens import refresh_due_tokens
from openfaith_pipeline.connections.openfaith_tokens import adopt_openfaith_orgs
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import open_database
from openfaith_pipeline.errors import ConnectionRejected, ProductNotGranted, UsageError
from openfaith_pipeline.network.credentials import PersonalAccessToken
from openfaith_pipeline.orgs.health import Health, read_health
from openfaith_pipeline.orgs.org_ids import check_org_id
from openfaith_pipeline.orgs.registry import (
    Org,
    get_org,
    list_orgs,
    lock_church,
    new_org_id,
    org_of_church,
    pause_org,
    resume_org,
)
from openfaith_pipeline.settings import Settings, load_settings
from openfaith_pipeline.sources import CONNECTORS, DEFAULT_SOURCE

orgs_app = typer.Typer(no_args_is_help=True, help="The churches that are synced.")
orgs_app.command("set")(set_schedule)
orgs_app.command("show")(show)
orgs_app.command("invite")(invite)
orgs_app.command("remove")(remove)
orgs_app.command("export")(export)
orgs_app.command("erase")(erase)

NewOrgId = Annotated[str, typer.Argument(metavar="ORG_ID", help="Its id in OpenFaith (org_...), or `new` to make one.")]
AppId = Annotated[str, typer.Option("--app-id", metavar="ID", help="Application ID of the personal access token.")]
Name = Annotated[str | None, typer.Option("--name", help="Its name; by default the one in Planning Center.")]
SecretOnStdin = Annotated[bool, typer.Option("--secret-stdin", help="Read the token's secret from stdin's first line.")]
ApiUrl = Annotated[
    str | None, typer.Option("--api-url", metavar="URL", help="Its API; by default PCO_API_URL. Kept with the church.")
]
Verify = Annotated[bool, typer.Option("--verify/--no-verify", help="Verify the token with Planning Center.")]


@orgs_app.command("add")
def add(  # noqa: PLR0913, PLR0917 - a verb's options are its parameters
    org_id: NewOrgId,
    app_id: AppId,
    name: Name = None,
    secret_stdin: SecretOnStdin = False,
    api_url: ApiUrl = None,
    verify: Verify = True,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask for confirmation if the token reads less than before.")
    ] = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """Connect a church by a personal access token, or give a connected one a new token.

    Make the token at https://api.planningcenteronline.com/oauth/applications, as a user who may see everything
    to sync. Its secret is entered at a prompt or on stdin, never given as an argument, where others could see it.

    \b
    Examples:
      openfaith-pipeline org add new --app-id 0123abcd
      pass show church | openfaith-pipeline org add org_01k5t0w2m1e9qv4y8z3n7b6c5d --app-id 0123abcd --secret-stdin

    \b
    Exit codes: 0 connected; 1 the token is refused or Planning Center does not answer; 2 wrong usage.
    """
    settings = load_settings()
    if org_id != "new":
        check_org_id(org_id)
    is_named = api_url is not None
    api_url = CONNECTORS[DEFAULT_SOURCE.adapter].normal_url(api_url) if api_url else _api_of_environment(settings)
    credentials = PersonalAccessToken(app_id, _read_secret(from_stdin=secret_stdin))
    account = _verify(api_url or _api_url(settings), credentials) if verify else None
    if verify and not yes:
        _confirm_losses(settings, org_id, account, api_url, credentials)
    with _registry(settings, makes_home=True) as connection:
        known = _known_org(connection, account, api_url, settings)
        chosen_id = org_id if org_id != "new" else known or new_org_id()
        chosen_name = name or (account.name if account else chosen_id)
        add_org(
            connection,
            cipher_from(settings),
            chosen_id,
            chosen_name,
            credentials,
            api_url=api_url,
            organization_id=account.number if account else None,
            adapter=DEFAULT_SOURCE.adapter,
        )
    if as_json:
        belongs_to = {"id": account.number, "name": account.name} if account else None
        terminal.print_json({"org_id": chosen_id, "name": chosen_name, "organization": belongs_to})
        return
    _report_connected(chosen_id, chosen_name, known, account)
    if api_url and not is_named:
        terminal.say(f"its API is {api_url} from now on, whatever the environment says later")
    terminal.say(f"next: openfaith-pipeline sync {chosen_id}")


def _report_connected(org_id: str, name: str, known: str | None, account: Account | None) -> None:
    """known: the org that was this church before."""
    if known == org_id:
        terminal.say(f"{org_id} was already known: it now uses this token")
    elif known:
        terminal.say(f"the same church is also connected as {known}; to remove one: openfaith-pipeline org remove")
    terminal.report(f"connected {org_id} ({name})")
    if account:
        terminal.say(f"the token belongs to {account.name}, number {account.number} there")


def _api_of_environment(settings: Settings) -> str | None:
    """The API of the environment, to be kept with the church; None for the source's own."""
    found = _api_url(settings)
    return found if found != DEFAULT_SOURCE.api_url else None


def _api_url(settings: Settings) -> str:
    return CONNECTORS[DEFAULT_SOURCE.adapter].api_url(settings)


def _confirm_losses(
    settings: Settings,
    org_id: str,
    account: Account | None,
    api_url: str | None,
    credentials: PersonalAccessToken,
) -> None:
    """Ask for confirmation before a working connection is replaced by one that reads fewer products."""
    with _registry(settings, makes_home=True) as connection:
        if org_id == "new":
            org_id = _known_org(connection, account, api_url, settings) or org_id
        streams = read_now(connection, org_id, adapter=DEFAULT_SOURCE.adapter)
    url, adapter = api_url or _api_url(settings), DEFAULT_SOURCE.adapter
    lost = asyncio.run(lost_products(url, credentials, streams, adapter)) if streams else []
    if lost:
        names = ", ".join(product.value for product in lost)
        terminal.confirm(f"{org_id} is connected, and this token may not read {names}. Replace?")


@orgs_app.command("list")
def list_all(as_json: terminal.JsonOption = False) -> None:
    """List the connected churches.

    \b
    Exit codes: 0 listed; 1 the database does not answer; 2 configuration.
    """
    with open_database(load_settings()) as database, database.connect() as connection:
        adopt_openfaith_orgs(connection, database.settings.canonical_schema, adapter=DEFAULT_SOURCE.adapter)
        health = read_health(connection, adapter=DEFAULT_SOURCE.adapter)
        orgs = [org for org in list_orgs(connection) if org.org_id in health]
    if as_json:
        terminal.print_json([describe_org(org, health[org.org_id]) for org in orgs])
        return
    rows = ([org.org_id, org.name, str(health[org.org_id]), terminal.moment(org.paused_at)] for org in orgs)
    terminal.output().print(terminal.table(("org", "name", "connection", "paused since"), rows))
    if not orgs:
        terminal.say("no church is connected; see: openfaith-pipeline org add --help")


@orgs_app.command("pause")
def pause(org: OrgName, as_json: terminal.JsonOption = False) -> None:
    """Stop syncing a church until `org resume`. Its data stays.

    Exit codes: 0 paused; 1 the database does not answer; 2 no such org.
    """
    with _registry(load_settings()) as connection:
        org_id = org_id_of(connection, org)
        pause_org(connection, org_id)
        changed = _read_org(connection, org_id)
    _print_org(*changed, "paused", as_json=as_json)


@orgs_app.command("resume")
def resume(org: OrgName, as_json: terminal.JsonOption = False) -> None:
    """Sync a paused church again.

    \b
    Exit codes: 0 resumed; 1 the database does not answer; 2 no such org.
    """
    with _registry(load_settings()) as connection:
        org_id = org_id_of(connection, org)
        resume_org(connection, org_id)
        changed = _read_org(connection, org_id)
    _print_org(*changed, "resumed", as_json=as_json)


@orgs_app.command("reencrypt")
def reencrypt_all(as_json: terminal.JsonOption = False) -> None:
    """Encrypt all credentials and webhook secrets with the newest key, so that older ones can be discarded.

    Put the new key first in OPENFAITH_ENCRYPTION_KEYS, keep the old ones after it, restart all processes, then run
    this. Syncs continue meanwhile; if interrupted, run it again to continue.

    Examples:
      openfaith-pipeline org reencrypt

    Exit codes: 0 all have the newest key; 1 no key decrypts some of them, or the database does not answer; 2
    configuration.
    """
    from openfaith_pipeline.connections.reencryption import (
        reencrypt,
    )  # imports SQLAlchemy, which no other verb here needs

    with open_database(load_settings()) as database:
        outcomes = reencrypt(database)
    if as_json:
        terminal.print_json([asdict(outcome) for outcome in outcomes])
    else:
        columns = ("column", "renewed", "had it already", "no key decrypts it")
        rows = ([o.column, str(o.renewed), str(o.current), str(len(o.unopened))] for o in outcomes)
        terminal.output().print(terminal.table(columns, rows, numbers=columns[1:]))
    unopened = [f"{outcome.column} of {key}" for outcome in outcomes for key in outcome.unopened]
    if unopened:
        terminal.complain(
            f"no key decrypts: {', '.join(unopened)}. Put the key they were stored with back into"
            " OPENFAITH_ENCRYPTION_KEYS, or connect these orgs again"
        )
        raise typer.Exit(1)


@orgs_app.command("refresh-tokens")
def refresh_tokens(as_json: terminal.JsonOption = False) -> None:
    """Refresh the OAuth tokens that expire within 70 minutes, as the hourly schedule does; others are left alone.

    Exit codes: 0 all due ones are refreshed; 1 some are not, named, or the database does not answer; 2 configuration.
    """
    with open_database(load_settings()) as database:
        outcomes = refresh_due_tokens(database)
    if as_json:
        terminal.print_json(
            {org_id: {"refreshed": error is None, "error": error} for org_id, error in outcomes.items()}
        )
    for org_id, failure in outcomes.items():
        terminal.complain(f"{org_id}: {failure}") if failure else terminal.say(f"{org_id}: refreshed")
    if any(outcomes.values()):
        raise typer.Exit(1)


def describe_org(org: Org, health: Health) -> dict[str, Any]:
    """The org in the form used in JSON."""
    return {
        "org_id": org.org_id,
        "name": org.name,
        "paused_at": org.paused_at,
        "connection": {
            "state": health.state,
            "reason": health.reason,
            "withheld": [asdict(product) for product in health.withheld],
        },
        "open_alerts": health.open_alerts,
    }


def _read_org(connection: psycopg.Connection[Any], org_id: str) -> tuple[Org, Health]:
    return get_org(connection, org_id), read_health(connection, [org_id], adapter=DEFAULT_SOURCE.adapter)[org_id]


def _print_org(org: Org, health: Health, what: str, *, as_json: bool) -> None:
    if as_json:
        terminal.print_json({**describe_org(org, health), "done": what})
        return
    terminal.report(f"{what} {org.org_id} ({org.name})")


@contextmanager
def _registry(settings: Settings, *, makes_home: bool = False) -> Iterator[psycopg.Connection[Any]]:
    """A connection for changing orgs; afterwards Dagster's partitions are updated."""
    from openfaith_pipeline.defs.instance import open_instance
    from openfaith_pipeline.defs.partitions import align_partitions

    with (open_or_make if makes_home else open_database)(settings) as database:
        with database.connect() as connection:
            yield connection
            org_ids = [org.org_id for org in list_orgs(connection)]
        with open_instance(settings, database) as instance:
            align_partitions(instance, org_ids)


def _read_secret(*, from_stdin: bool) -> SecretStr:
    if from_stdin:
        secret = sys.stdin.readline().strip()
    elif sys.stdin.isatty():
        secret = typer.prompt("Secret of the token", hide_input=True, err=True).strip()
    else:
        raise UsageError("give the token's secret on stdin with --secret-stdin; there is no terminal to enter it on")
    if not secret:
        raise UsageError("the token's secret is empty")
    return SecretStr(secret)


def _known_org(
    connection: psycopg.Connection[Any], account: Account | None, api_url: str | None, settings: Settings
) -> str | None:
    """The existing org of this church, so that connecting it twice makes one org.

    An org without an address of its own is at the API of the environment.
    """
    if account is None:
        return None
    lock_church(connection, account.number, DEFAULT_SOURCE.adapter)
    known = org_of_church(connection, account.number, api_url, DEFAULT_SOURCE.adapter)
    if known is None and api_url == _api_of_environment(settings):
        return org_of_church(connection, account.number, None, DEFAULT_SOURCE.adapter)
    return known


def _verify(api_url: str, credentials: PersonalAccessToken) -> Account:
    try:
        return asyncio.run(CONNECTORS[DEFAULT_SOURCE.adapter].read_account(api_url, credentials))
    except ConnectionRejected:
        raise ConnectionRejected(
            f"{api_url} refuses the token: compare its application id and secret with {DEFAULT_SOURCE.applications_url}"
        ) from None
    except ProductNotGranted as error:
        raise ProductNotGranted(
            f"the token is valid, but its user has no access to Planning Center People ({error});"
            " grant it, or connect anyway with --no-verify"
        ) from None
