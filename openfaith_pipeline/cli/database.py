"""`db`: the database."""

import shlex
import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Final

import typer
from rich.markup import escape

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.database_backup import backup, psql, restore
from openfaith_pipeline.cli.database_roles import RoleOption, roles_app, url_for
from openfaith_pipeline.cli.home import open_or_make
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.database.connection import parts_of_url
from openfaith_pipeline.database.migration import is_current
from openfaith_pipeline.database.migration import upgrade as bring_up_to_date
from openfaith_pipeline.database.server import (
    ServerState,
    ServerUser,
    inspect_server,
    pin_server,
    require_home,
    stop_server,
    stop_unused_server,
)
from openfaith_pipeline.errors import DatabaseUnavailable, UsageError
from openfaith_pipeline.settings import Settings, load_settings

WaitSeconds = Annotated[
    int,
    typer.Option(
        "--wait", metavar="SECONDS", min=0, max=3600, help="How long to wait for a Postgres that is starting."
    ),
]

_VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "host": ("PGHOST",),
    "port": ("PGPORT",),
    "dbname": ("PGDATABASE",),
    "user": ("PGUSER",),
    "password": ("PGPASSWORD", "DBT_ENV_SECRET_PGPASSWORD"),
}

database_app = typer.Typer(
    no_args_is_help=True,
    help="The database. Without DB_* it is an embedded Postgres under OPENFAITH_HOME that runs while a verb needs it.",
)

database_app.add_typer(roles_app, name="roles")
database_app.command("backup")(backup)
database_app.command("restore")(restore)
database_app.command("psql", context_settings={"allow_extra_args": True})(psql)


@database_app.command("start")
def start(as_json: terminal.JsonOption = False) -> None:
    """Start the embedded Postgres and keep it running until `db stop`.

    Exit codes: 0 it runs; 1 it does not start; 2 DB_* is set, or OPENFAITH_HOME cannot be used.
    """
    settings = _embedded(load_settings())
    with open_or_make(settings):  # so that its tables exist too
        server = pin_server(settings)
    if as_json:
        terminal.print_json({"host": "127.0.0.1", "port": server.port, "pid": server.pid})
        return
    terminal.output().print(f"Postgres runs on 127.0.0.1:{server.port} until: openfaith-pipeline db stop")


@database_app.command("stop")
def stop(
    unused: Annotated[bool, typer.Option("--unused", help="Only if it is not kept running and has no users.")] = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """Stop the embedded Postgres, even if programs are using it.

    Exit codes: 0 it is stopped, or was not running; 1 it does not stop; 2 DB_* is set.
    """
    settings = _embedded(load_settings())
    require_home(settings)
    if unused:
        stop_unused_server(settings)
    cut_off = [] if unused else stop_server(settings)
    if as_json:
        is_running = inspect_server(settings).is_running
        terminal.print_json({"is_running": is_running, "cut_off": [_describe_user(user) for user in cut_off]})
        return
    terminal.output().print("Postgres is running on" if inspect_server(settings).is_running else "Postgres is stopped")
    for user in cut_off:
        terminal.say(f"disconnected: {user.program} (process {user.pid})")


@database_app.command("url")
def url(
    role: RoleOption = None,
    env: Annotated[
        bool,
        typer.Option("--env", help="Print it as variables for a shell to evaluate: PGHOST and so on, as dbt takes."),
    ] = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """Print the libpq URL of the database, including the password; Postgres keeps running until `db stop`.

    Schema openfaith has views in plain names; docs/questions.md lists them, with questions that they answer.

    Examples:
      psql "$(openfaith-pipeline db url)"
      psql "$(openfaith-pipeline db url)" -c 'SELECT * FROM openfaith.churches'
      psql "$(openfaith-pipeline db url --role reader)"
      eval "$(openfaith-pipeline db url --role reader --env)"

    Exit codes: 0 printed; 1 the database does not answer; 2 configuration, or a role whose password is not kept here.
    """
    settings = load_settings()
    with open_database(settings) as database:
        if settings.is_embedded:
            pin_server(settings)
        address = url_for(database, role)
    if as_json:
        terminal.print_json({"url": address, **parts_of_url(address)})
        return
    typer.echo("\n".join(_shell_lines(address)) if env else address)


def _shell_lines(address: str) -> Iterator[str]:
    """dbt keeps variables that begin with DBT_ENV_SECRET_ out of its logs."""
    for name, value in parts_of_url(address).items():
        for variable in _VARIABLES[name]:
            yield f"export {variable}={shlex.quote(value)}"


@database_app.command("upgrade")
def upgrade(wait: WaitSeconds = 30, as_json: terminal.JsonOption = False) -> None:
    """Upgrade the tables to this version. The embedded Postgres is upgraded automatically.

    Exit codes: 0 up to date; 1 the database does not answer; 2 configuration, missing privileges, or a database whose
    encoding is not UTF8.
    """
    settings = load_settings()
    with open_or_make(settings, upgrade=False) as database:
        _await_answer(database, wait)
        was_current = is_current(database)
        if not was_current:
            bring_up_to_date(database)
    if as_json:
        terminal.print_json({"was_current": was_current})
        return
    terminal.output().print("was up to date" if was_current else "is now up to date")


@database_app.command("status")
def status(as_json: terminal.JsonOption = False) -> None:
    """Show whether the database runs, its users, and whether its tables are up to date. Starts nothing.

    Exit codes: 0 it runs and is up to date, or is embedded and not needed now; 1 it does not answer or is behind.
    """
    settings = load_settings()
    if settings.is_embedded:
        require_home(settings)
    server = inspect_server(settings) if settings.is_embedded else None
    runs, is_up_to_date, is_superuser = _health(settings, server)
    if as_json:
        terminal.print_json(
            {
                "kind": "embedded" if settings.is_embedded else "configured",
                "is_running": runs,
                "is_current": is_up_to_date,
                "is_superuser": is_superuser,
                "port": server.port if server else settings.db_port,
                "is_pinned": server.is_pinned if server else None,
                "users": [_describe_user(user) for user in server.users] if server else None,
            }
        )
    else:
        _print_status(settings, server, runs=runs, is_up_to_date=is_up_to_date, is_superuser=is_superuser)
    if is_up_to_date is False or not (runs or settings.is_embedded):
        raise typer.Exit(1)


def _await_answer(database: Database, seconds: int) -> None:
    """Wait until Postgres answers; raise DatabaseUnavailable after this time."""
    deadline = time.monotonic() + seconds
    is_told = False
    while True:
        try:
            database.connect().close()
        except DatabaseUnavailable as error:
            if time.monotonic() >= deadline:
                raise
            if not is_told:
                terminal.say(f"waiting up to {seconds} s: {error}")
            is_told = True
        else:
            return
        time.sleep(min(1, max(0, deadline - time.monotonic())))


def _health(settings: Settings, server: ServerState | None) -> tuple[bool, bool | None, bool | None]:
    """Whether the database answers, its tables are up to date, and its user is a superuser (None if unknown)."""
    if server and not server.is_running:
        return False, None, None
    try:
        with open_database(settings, upgrade=False) as database:
            with database.connect() as connection:
                is_superuser = connection.info.parameter_status("is_superuser") == "on"
            return True, is_current(database), is_superuser
    except DatabaseUnavailable as error:
        terminal.complain(str(error))
        return False, None, None


def _print_status(
    settings: Settings,
    server: ServerState | None,
    *,
    runs: bool,
    is_up_to_date: bool | None,
    is_superuser: bool | None,
) -> None:
    out = terminal.output()
    if server is None:
        out.print(f"{escape(settings.db_host or '')}:{settings.db_port} {'answers' if runs else 'does not answer'}")
    elif runs:
        kept = "until `db stop`" if server.is_pinned else "as long as it is used"
        out.print(f"the embedded Postgres runs on 127.0.0.1:{server.port}, {kept}")
    else:
        out.print("the embedded Postgres is not running; any command that needs it starts it")
    for user in server.users if server else ():
        out.print(f"used by {escape(user.program)} (process {user.pid})")
    if is_superuser:
        out.print("its user is a superuser, which no sync needs: openfaith-pipeline db roles owner")
    if is_up_to_date is not None:
        behind = "the tables are behind this version: openfaith-pipeline db upgrade"
        out.print("the tables are up to date" if is_up_to_date else behind)


def _embedded(settings: Settings) -> Settings:
    if not settings.is_embedded:
        raise UsageError(
            f"DB_HOST_PRIMARY is set: the Postgres at {settings.db_host} cannot be started or stopped from here."
            " Unset the DB_* variables for the embedded one"
        )
    return settings


def _describe_user(user: ServerUser) -> dict[str, object]:
    return {"pid": user.pid, "program": user.program}
