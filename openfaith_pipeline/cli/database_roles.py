"""`db roles`: who may connect to the database and which rows they see."""

from dataclasses import replace
from typing import Annotated

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.completion import complete_org
from openfaith_pipeline.cli.org_names import org_ids_of
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.database.access.logins import (
    Reader,
    list_readers,
    make_owner,
    make_roles,
    put_reader,
    remove_reader,
    renew_password,
)
from openfaith_pipeline.database.access.names import LOGINS
from openfaith_pipeline.database.access.passwords import kept_password
from openfaith_pipeline.database.connection import url_as
from openfaith_pipeline.database.owner import OWNER
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.settings import load_settings

Login = Annotated[str, typer.Argument(metavar="NAME", help="The login.")]

RoleOption = Annotated[
    str | None,
    typer.Option(
        "--role", metavar="NAME", help="For this login: reader, reader_no_giving, writer, or one of `db roles`."
    ),
]

roles_app = typer.Typer(invoke_without_command=True)


@roles_app.callback()
def roles(context: typer.Context, as_json: terminal.JsonOption = False) -> None:
    """Make the roles of the database: a writer for syncs, and readers that see the rows of their churches only.

    openfaith_reader and openfaith_reader_no_giving see no church until `db roles add` names some. The rest is left
    as it is, so this can be run again at any time, as after a move to another server.

    Examples:
      openfaith-pipeline db roles
      openfaith-pipeline db roles add metabase --org ORG --no-giving
      psql "$(openfaith-pipeline db url --role metabase)"

    Exit codes: 0 made, or were there; 1 the database does not answer; 2 this user may not make roles.
    """
    if context.invoked_subcommand:
        return
    with open_database(load_settings()) as database:
        refused = make_roles(database)
        readers = list_readers(database)
    if as_json:
        terminal.print_json({"roles": [*LOGINS], "readers": [*map(_described, readers)], "closed": refused})
        return
    _print(readers)
    for reason in refused:
        terminal.say(f"readers are not given {reason}")
    if not any(reader.org_ids or reader.sees_all_orgs for reader in readers):
        terminal.say("no reader sees a church yet: openfaith-pipeline db roles add openfaith_reader --org ORG")


@roles_app.command("list")
def list_them(as_json: terminal.JsonOption = False) -> None:
    """List the readers and the churches that each sees.

    Exit codes: 0 listed; 1 the database does not answer; 2 configuration.
    """
    with open_database(load_settings()) as database:
        readers = list_readers(database)
    if as_json:
        terminal.print_json({"readers": [*map(_described, readers)]})
        return
    _print(readers)


@roles_app.command("add")
def add(
    login: Login,
    orgs: Annotated[
        list[str] | None,
        typer.Option("--org", metavar="ORG", autocompletion=complete_org, help="A church that it sees; repeatable."),
    ] = None,
    all_orgs: Annotated[bool, typer.Option("--all-orgs", help="It sees every church, later ones too.")] = False,
    no_giving: Annotated[bool, typer.Option("--no-giving", help="It sees nothing about donations.")] = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """Create a reader, or let an existing one see these churches and no others from now on.

    Exit codes: 0 made; 1 the database does not answer; 2 no such church, a name that is taken, or missing rights.
    """
    if bool(orgs) == all_orgs:
        raise UsageError("say which churches it sees: --org ORG, once for each, or --all-orgs")
    with open_database(load_settings()) as database:
        with database.connect() as connection:
            org_ids = org_ids_of(connection, orgs or ())
        make_roles(database)
        sees_giving = not (no_giving or login.endswith("_no_giving"))
        put_reader(database, login, org_ids, sees_giving=sees_giving, sees_all=all_orgs)
        reader = _found(database, login)
    if as_json:
        terminal.print_json(_described(reader))
        return
    _print([reader])
    terminal.say(f"its address, with the password: openfaith-pipeline db url --role {login}")


@roles_app.command("remove")
def remove(login: Login, as_json: terminal.JsonOption = False) -> None:
    """Remove a reader.

    Exit codes: 0 removed; 1 the database does not answer; 2 no such reader, one of the two that are always there, or
    one with more rights than `db roles` gave it.
    """
    with open_database(load_settings()) as database:
        remove_reader(database, login)
    if as_json:
        terminal.print_json({"login": login, "done": "removed"})
        return
    terminal.report(f"removed {login}")


@roles_app.command("owner")
def own(as_json: terminal.JsonOption = False) -> None:
    """Hand a database of your own that was made as a superuser over to openfaith_owner, which is none.

    Run it once with DB_USERNAME as before, with everything stopped. Set DB_USERNAME=openfaith_owner afterwards, and
    DB_PASSWORD to its password: `db url --role openfaith_owner` prints it.

    Exit codes: 0 handed over, or was already; 1 the database does not answer; 2 the user is not a superuser.
    """
    with open_database(load_settings()) as database:
        make_owner(database)
    if as_json:
        terminal.print_json({"owner": OWNER, "done": "handed over"})
        return
    terminal.report(f"everything belongs to {OWNER}; set DB_USERNAME={OWNER} and its password from now on")


@roles_app.command("password")
def password(login: Login, as_json: terminal.JsonOption = False) -> None:
    """Give a login a new password, which `db url --role NAME` prints; the old one ends at once.

    Exit codes: 0 changed; 1 the database does not answer; 2 no such login, or missing rights.
    """
    with open_database(load_settings()) as database:
        renew_password(database, login)
    if as_json:
        terminal.print_json({"login": login, "done": "changed"})
        return
    terminal.report(f"{login} has a new password: openfaith-pipeline db url --role {login}")


def _found(database: Database, login: str) -> Reader:
    return next(reader for reader in list_readers(database) if reader.login == login)


def _described(reader: Reader) -> dict[str, object]:
    return {
        "login": reader.login,
        "sees_giving": reader.sees_giving,
        "sees_all_orgs": reader.sees_all_orgs,
        "orgs": [*reader.org_ids],
        "has_role": reader.has_role,
    }


def _print(readers: list[Reader]) -> None:
    rows = [(each.login, _churches(each), "yes" if each.sees_giving else "no", _note(each)) for each in readers]
    terminal.output().print(terminal.table(("login", "churches", "giving", ""), rows))


def _churches(reader: Reader) -> str:
    return "all" if reader.sees_all_orgs else ", ".join(reader.org_ids) or "none"


def _note(reader: Reader) -> str:
    return "" if reader.has_role else "not known to this server: openfaith-pipeline db roles"


def _full_name(role: str) -> str:
    """`reader` is short for openfaith_reader, and so on."""
    return f"openfaith_{role}" if f"openfaith_{role}" in LOGINS else role


def url_for(database: Database, role: str | None) -> str:
    """The URL for the owner, or for a login whose password is kept in the home and opens the database."""
    login = _full_name(role) if role else ""
    if login in {"", "owner"} or (login == OWNER and database.settings.is_embedded):
        return database.url
    address = url_as(database.url, login, kept_password(database.settings, login))
    replace(database, url=address).connect().close()
    return address
