"""`export`: tables, views and answers for other tools."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from openfaith_pipeline.catalog.words import Mark
from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.completion import complete_org
from openfaith_pipeline.cli.database_roles import RoleOption, url_for
from openfaith_pipeline.cli.export_progress import export_progress
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.export.dbt_project import write_dbt_project
from openfaith_pipeline.export.duckdb_form import export_duckdb
from openfaith_pipeline.export.orgs import chosen_orgs
from openfaith_pipeline.export.relations import all_relations
from openfaith_pipeline.export.run import Exported, Progress, export_files
from openfaith_pipeline.export.selection import names_to_choose, question_name, select
from openfaith_pipeline.export.tables import Wanted
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sources import QUESTIONS

export_app = typer.Typer(
    no_args_is_help=True,
    help="Write tables, views and answers for other tools: CSV, Parquet, a DuckDB file, a dbt project.",
)


def _complete_name(incomplete: str) -> Iterator[str]:
    return (name for name in names_to_choose(load_settings()) if name.startswith(incomplete))


Directory = Annotated[
    Path, typer.Argument(metavar="DIR", help="The directory: a new one, or one that an export of this kind wrote.")
]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        autocompletion=_complete_name,
        help="What to export: views (unless others are named), questions, canonical, raw or all; a product, as giving;"
        " or one by its name, as people.emails, openfaith_people, households. `export list` has them.",
        show_default=False,
    ),
]
Orgs = Annotated[
    list[str] | None,
    typer.Option(
        "--org",
        metavar="ORG",
        autocompletion=complete_org,
        help="Only this church, by its id, a beginning of it or its name; may be repeated. Default: all.",
    ),
]
WithDeleted = Annotated[
    bool, typer.Option("--with-deleted", help="With rows marked deleted, which are left out otherwise.")
]
Without = Annotated[
    list[Mark] | None,
    typer.Option(
        "--without",
        help="Leave out columns with data of this kind: personal names people or describes their lives, financial is"
        " money and how it was paid, health is illnesses and needs. May be repeated.",
        show_default=False,
    ),
]
Excel = Annotated[
    bool,
    typer.Option(
        "--excel", help="For opening in a spreadsheet: marked as UTF-8, times it knows, no text that is a formula."
    ),
]


@export_app.command("csv")
def csv(  # noqa: PLR0913, PLR0917 - a verb has as many as it has options
    directory: Directory,
    names: Names = None,
    orgs: Orgs = None,
    role: RoleOption = None,
    with_deleted: WithDeleted = False,
    without: Without = None,
    excel: Excel = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """Write CSV files, DIR/SCHEMA/NAME.csv, with a manifest. Only you may read them.

    All files show one moment, while syncs go on. Run it again to replace them, or after it was interrupted: each file
    is replaced when it is whole. Values are exact; text of people may begin like a formula, so give a spreadsheet
    --excel. docs/tools.md has the steps for each tool.

    \b
    Examples:
      openfaith-pipeline export csv out
      openfaith-pipeline export csv for-the-board questions --org "Cedar Hollow Chapel" --excel
      openfaith-pipeline export csv raw-giving giving --without personal --role reader

    \b
    Exit codes: 0 written; 1 a file cannot be written, or the database does not answer; 2 no such name or church, or
    the directory has other files.
    """
    with _request(role, names, orgs, without, with_deleted=with_deleted) as request:
        done = export_files(request.database, request.wanted, directory, "csv", request.progress, for_spreadsheet=excel)
    _report(done, directory, as_json=as_json)


@export_app.command("parquet")
def parquet(
    directory: Directory,
    names: Names = None,
    orgs: Orgs = None,
    role: RoleOption = None,
    with_deleted: WithDeleted = False,
    without: Without = None,
    as_json: terminal.JsonOption = False,
) -> None:
    """Write Parquet files, DIR/SCHEMA/NAME.parquet, with a manifest. Only you may read them.

    Times have their zone, amounts are decimals, documents are JSON. All files show one moment; run it again to replace
    them. It needs: pip install 'openfaith-pipeline[export]'

    \b
    Examples:
      openfaith-pipeline export parquet out
      openfaith-pipeline export parquet lake raw canonical --with-deleted --without health

    \b
    Exit codes: 0 written; 1 a file cannot be written, or the database does not answer; 2 no such name or church, the
    directory has other files, or pyarrow is not installed.
    """
    with _request(role, names, orgs, without, with_deleted=with_deleted) as request:
        done = export_files(request.database, request.wanted, directory, "parquet", request.progress)
    _report(done, directory, as_json=as_json)


@export_app.command("duckdb")
def duckdb(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file: a new one, or one that this wrote.")],
    names: Names = None,
    orgs: Orgs = None,
    role: RoleOption = None,
    with_deleted: WithDeleted = False,
    without: Without = None,
    as_json: terminal.JsonOption = False,
) -> None:
    """Write one DuckDB file with the tables under their own names, as openfaith.households. Only you may read it.

    It needs: pip install 'openfaith-pipeline[export]'

    \b
    Examples:
      openfaith-pipeline export duckdb church.duckdb
      openfaith-pipeline export duckdb church.duckdb all --org "Cedar Hollow Chapel"

    \b
    Exit codes: 0 written; 1 it cannot be written, or the database does not answer; 2 no such name or church, the file
    is another program's or in use, or duckdb is not installed.
    """
    with _request(role, names, orgs, without, with_deleted=with_deleted) as request:
        done = export_duckdb(request.database, request.wanted, file, request.progress)
    _report(done, file, as_json=as_json)


@export_app.command("dbt")
def dbt(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="The directory: a new one, or a project that this wrote.")
    ],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            autocompletion=_complete_name,
            help="Which sources, as for csv. Default: all.",
            show_default=False,
        ),
    ] = None,
    as_json: terminal.JsonOption = False,
) -> None:
    """Write a dbt project whose sources are the tables and views, with descriptions, marks, tests and freshness.

    It reads no database. Run it again after an upgrade: models/sources is rewritten, your own files stay.

    \b
    Examples:
      openfaith-pipeline export dbt church-dbt
      openfaith-pipeline export dbt church-dbt views people groups

    \b
    Exit codes: 0 written; 1 a file cannot be written; 2 no such name, or the directory has other files.
    """
    settings = load_settings()
    relations = select(settings, names or ["all"]).relations
    files = write_dbt_project(directory, relations, settings)
    if as_json:
        terminal.print_json({"directory": directory.resolve(), "files": files, "sources": len(relations)})
        return
    terminal.report(f"wrote {terminal.number_of(len(relations), 'source')} to {directory.resolve()}")


@export_app.command("list")
def list_them(as_json: terminal.JsonOption = False) -> None:
    """List everything that can be exported, by the names that the other verbs take. It reads no database.

    Exit codes: 0 listed; 2 configuration.
    """
    settings = load_settings()
    rows: list[tuple[str, str, str, str]] = [
        (each.stream.name if each.stream else each.full_name, each.group, each.full_name, each.description)
        for each in all_relations(settings).values()
    ]
    rows += [(question_name(each), "questions", "", each.title) for each in QUESTIONS]
    if as_json:
        keys = ("name", "group", "table", "description")
        terminal.print_json([dict(zip(keys, row, strict=True)) for row in rows])
        return
    terminal.output().print(
        terminal.table(("name", "group", "table", "description"), rows, first_to_go=("description", "table"))
    )


class _Request(NamedTuple):
    database: Database
    wanted: Wanted
    progress: Progress


@contextmanager
def _request(
    role: str | None,
    names: Sequence[str] | None,
    orgs: Sequence[str] | None,
    without: Sequence[Mark] | None,
    *,
    with_deleted: bool,
) -> Iterator[_Request]:
    """The export that the options describe. If a role is named, the database is read as that login."""
    settings = load_settings()
    selection = select(settings, names or ["views"])
    # A reader may be the configured user: it sees neither the schema's version nor a reason to.
    with open_database(settings, upgrade=None if settings.is_embedded else False) as opened:
        database = replace(opened, url=url_for(opened, role)) if role else opened
        with database.connect() as connection:
            org_ids = chosen_orgs(connection, orgs or ())
        wanted = Wanted(selection, org_ids, frozenset(without or ()), with_deleted)
        with export_progress() as progress:
            yield _Request(database, wanted, progress)


def _report(done: Exported, place: Path, *, as_json: bool) -> None:
    if as_json:
        terminal.print_json(
            {
                "path": place.resolve(),
                "exported_at": done.exported_at,
                "rows": done.rows,
                "skipped": done.skipped,
                "left_out": done.left_out,
            }
        )
        return
    by_reason: dict[str, list[str]] = {}
    for name, reason in done.skipped.items():
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        terminal.say(f"not exported, {reason}: {', '.join(names)}")
    if done.left_out:
        columns = sum(map(len, done.left_out.values()))
        terminal.say(f"left out {terminal.number_of(columns, 'column')} by their marks; the manifest names them")
    rows, tables = sum(done.rows.values()), len(done.rows)
    terminal.report(f"wrote {terminal.number_of(rows, 'row')} of {tables} tables to {place.resolve()}")
