"""The command tree, and the translation of errors into messages and exit codes."""

import re
import signal
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from types import FrameType
from typing import Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.zsh_completion import complete_at_first_tab
from openfaith_pipeline.database.refusals import TROUBLE, is_outage, refusal_in_words
from openfaith_pipeline.errors import OpenFaithError, UsageError

_EXIT_FAILED = 1
_EXIT_USAGE = 2

VERBS: Final = {
    "demo": "demo:demo",
    "dev": "dev:dev",
    "serve": "serve:serve",
    "worker": "worker:worker",
    "dagster": "worker:run_dagster",
    "health": "health:health",
    "sync": "sync:sync",
    "backfill": "backfill:backfill",
    "status": "status:show_status",
    "syncs": "syncs:syncs_app",
    "doctor": "doctor:doctor",
    "verify": "verify:verify",
    "rebuild": "rebuild:rebuild",
    "history": "history:show_history",
    "rollback": "rollback:rollback",
    "catalog": "catalog:show_catalog",
    "simulator": "simulator:simulate",
    "review": "review:review_app",
    "quarantine": "quarantine:quarantine_app",
    "deletes": "deletes:deletes_app",
    "policy": "policy:policy_app",
    "alerts": "alerts:alerts_app",
    "org": "orgs:orgs_app",
    "person": "person:person_app",
    "export": "export:export_app",
    "webhooks": "webhooks:webhooks_app",
    "db": "database:database_app",
}
"""Module and attribute of each verb or group of verbs."""


CHAPTERS: Final = {
    "Begin": ("demo", "dev", "org"),
    "Sync": ("sync", "backfill", "syncs", "status"),
    "Look after": ("doctor", "verify", "rebuild", "alerts", "review", "deletes", "quarantine", "policy", "webhooks"),
    "Look back, take back": ("history", "rollback"),
    "Data": ("catalog", "db", "export", "person"),
    "Run on servers": ("serve", "worker", "health", "dagster"),
    "Practise": ("simulator",),
}
"""How `--help` groups the verbs; one that is in no chapter comes last."""


_NOT_TRACED: Final = frozenset({"dev", "serve", "worker", "dagster", "simulator", "doctor"})
"""Verbs that become, or supervise, processes with telemetry of their own, and one that reports unusable settings."""


_EXAMPLES: Final = re.compile(r"\n\nExamples:\n")
_TYPE: Final = re.compile(r"<(?:list\[)?(?P<name>[^\[\]]*)\]?>")
_VALUES: Final = {"int": "N", "int range": "N", "float": "NUMBER", "float range": "NUMBER", "str": "TEXT"}
_LONGEST_SUMMARY: Final = 300


class _Verbs(TyperGroup):
    """Imports a verb on first use: all of them together take over a second."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002 - overridden
        return list(VERBS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> TyperCommand | None:  # type: ignore[override]  # noqa: ARG002 - overridden
        # For an unknown verb, Typer suggests similar ones from all names it knows.
        for name in [cmd_name] if cmd_name in VERBS else VERBS:
            self.commands[name] = _imported(name)
        return self.commands.get(cmd_name)  # type: ignore[return-value]

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        """A chapter at a time, in the order in which a church meets them."""
        grouped = {name for names in CHAPTERS.values() for name in names}
        rest = tuple(name for name in VERBS if name not in grouped)
        for chapter, names in {**CHAPTERS, "Other": rest}.items():
            known = [name for name in names if name in VERBS]
            if known:
                with formatter.section(chapter):
                    formatter.write_dl([(name, self._summary(ctx, name)) for name in known], col_spacing=2)

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the verb in a span of its own; its name alone is sent."""
        from openfaith_pipeline.settings import load_settings, use_variables_of_others

        use_variables_of_others()
        verb = ctx._protected_args[0] if ctx._protected_args else ""
        if verb not in VERBS or verb in _NOT_TRACED or "--help" in ctx.args:
            return super().invoke(ctx)
        from openfaith_pipeline.telemetry.process import Role, telemetry
        from openfaith_pipeline.telemetry.spans import span

        with telemetry(load_settings(), Role.CLI), span(f"openfaith-pipeline {verb}"):
            return super().invoke(ctx)

    def _summary(self, ctx: typer.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        return command.get_short_help_str(limit=_LONGEST_SUMMARY) if command else ""


def _imported(name: str) -> Any:
    module, _, attribute = VERBS[name].partition(":")
    verb = getattr(import_module(f"openfaith_pipeline.cli.{module}"), attribute)
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    if isinstance(verb, typer.Typer):
        alone.add_typer(verb, name=name)
    else:
        alone.command(name)(verb)
    command = get_group(alone).commands[name]
    _improve_help(command)
    return command


def _improve_help(command: Any) -> None:
    """Improve the help of a command and its subcommands.

    Click would make one paragraph of the examples; Typer would name Python's types: `--port <int range>`.
    """
    command.help = _EXAMPLES.sub("\n\n\b\nExamples:\n", command.help or "") or None
    for parameter in command.params:
        parameter.display_type = partial(_value_of, parameter)
    for each in getattr(command, "commands", {}).values():
        _improve_help(each)


def _value_of(parameter: Any, context: Any) -> str:
    """The value of an option in its help: `N`, or its choices. An argument has a name already."""
    typed = type(parameter).display_type(parameter, context)
    found = _TYPE.fullmatch(typed)
    if found is None or "|" in found["name"]:
        return f"<{found['name']}>" if found else typed
    return "" if parameter.param_type_name == "argument" else _VALUES.get(found["name"], found["name"].upper())


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from openfaith_pipeline.cli.version import version_lines
        from openfaith_pipeline.settings import use_variables_of_others

        use_variables_of_others()
        for line in version_lines():
            terminal.report(line)
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version", callback=_print_version, is_eager=True, help="Print the versions of this, Postgres and the schema."
    ),
]

complete_at_first_tab()
app = typer.Typer(
    name="openfaith-pipeline",
    cls=_Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _all(_version: Version = False) -> None:
    """Sync Planning Center Online into the OpenFaith database.

    An org is named by its id, by a beginning of it that no other has, or by its church's name. --json prints one JSON
    document on stdout. Start with: openfaith-pipeline demo
    """
    from openfaith_pipeline.settings import unknown_variables

    for name, meant in unknown_variables().items():
        terminal.say(f"{name} is no setting and is ignored" + (f"; is {meant} meant?" if meant else ""))


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one verb and exit: 0 success, 1 failure, 2 usage or configuration, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    terminal.allow_any_text()
    # A shell script's background jobs ignore SIGINT, and a Dagster run ignores SIGTERM.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _leave)
    try:
        app(args=given, prog_name="openfaith-pipeline")
    except (OpenFaithError, *TROUBLE, OSError) as error:
        sys.exit(_explain(error, as_json="--json" in given))
    sys.exit(0)


def _explain(error: Exception, *, as_json: bool) -> int:
    """Report the error on stderr, and in the JSON if requested; returns the exit code."""
    code = _EXIT_USAGE if isinstance(error, UsageError) else _EXIT_FAILED
    message = str(error) if isinstance(error, OpenFaithError) else _in_our_words(error)
    terminal.complain(message)
    if as_json:
        terminal.print_json({"error": {"type": type(error).__name__, "message": message}})
    return code


def _in_our_words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, TROUBLE) and not is_outage(error):
        return refusal_in_words(error)
    return f"the database does not answer: {str(error).strip()}"


def _leave(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends a verb as Ctrl-C does: its child processes are stopped first."""
    raise KeyboardInterrupt
