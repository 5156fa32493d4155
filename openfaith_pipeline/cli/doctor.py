"""`doctor`: look at everything, and name the command that mends each finding."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Annotated, Any, Final

import psycopg
import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.demo_running import demo_answers, run_at_source
from openfaith_pipeline.cli.doctor_report import print_repair, print_report, repair_described
from openfaith_pipeline.cli.org_names import OrgOption
from openfaith_pipeline.cli.stages import shown_stages
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.database.refusals import TROUBLE
from openfaith_pipeline.doctor.examination import Examination, Extent, find_dead_ends
from openfaith_pipeline.doctor.installation import examine_home
from openfaith_pipeline.doctor.kinds import OF_DATABASE, Area
from openfaith_pipeline.doctor.repair import Order, OrgRepair, find_kept, foresee_repair, repair
from openfaith_pipeline.doctor.report import Finding, Report, Unexamined, found
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable, NoHome, UsageError
from openfaith_pipeline.orgs.naming import find_org
from openfaith_pipeline.orgs.registry import Org, list_orgs
from openfaith_pipeline.settings import Settings, load_settings
from openfaith_pipeline.sources import DEFAULT_SOURCE
from openfaith_pipeline.webhooks.inspection import may_be_subscribed

Offline = Annotated[bool, typer.Option("--offline", help="Request nothing from Planning Center.")]
Repair = Annotated[
    bool, typer.Option("--repair", help="Mend the OpenFaith tables as far as possible, after showing the counts.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="With --repair: show the writes, and make none.")]


_CONFIGURATION: Final = frozenset({"settings_unusable", "no_home", "database_refusing"})
"""Findings for which this exits with 2."""


def doctor(
    org: OrgOption = None,
    offline: Offline = False,
    repair_too: Repair = False,
    dry_run: DryRun = False,
    yes: terminal.YesOption = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """Look at everything, and say for each finding how bad it is and which command mends it.

    Looked at are: settings, home and database; connections, streams and rate budgets of each church; webhooks here and
    at Planning Center; rows without their parent; OpenFaith rows that lead nowhere, those that OpenFaith's own engine
    left among them. A part that cannot be looked at is named, and the others are. Nothing is changed without --repair.

    --repair writes OpenFaith's tables alone, as a sync of its own that `rollback` takes back; everything else is left
    to the commands that are named.

    \b
    Examples:
      openfaith-pipeline doctor
      openfaith-pipeline doctor --org "Cedar Hollow Chapel" --offline --json
      openfaith-pipeline doctor --repair --dry-run

    \b
    Exit codes: 0 nothing has to be done; 1 something has, or a part could not be looked at; 2 no home, settings that
    cannot be used, or no such org; 130 interrupted.
    """
    if dry_run and not repair_too:
        raise UsageError("--dry-run shows what --repair would write: pass both")
    report, repaired = Report(), None
    with _opened(report) as database:
        if database is not None:
            _examine(database, report, org, is_offline=offline)
        if not as_json:
            print_report(report)
        if database is not None and repair_too:
            repaired = _repair(database, report, dry_run=dry_run, yes=yes, is_offline=offline)
    if as_json:
        written = repair_described(*repaired, is_dry_run=dry_run) if repaired else None
        terminal.print_json({**report.described(), "repair": written})
    elif repaired:
        _print_repaired(*repaired, report, is_dry_run=dry_run)
    if report.status != "well":
        raise typer.Exit(2 if any(each.kind.name in _CONFIGURATION for each in report.findings) else 1)


def _print_repaired(order: Order, orgs: Sequence[OrgRepair], report: Report, *, is_dry_run: bool) -> None:
    if not orgs:
        terminal.say("there is nothing for --repair to mend")
        return
    title = "to be written" if is_dry_run else f"written by {order.sync_id}, which `rollback` takes back"
    print_repair(title, orgs, report.orgs)
    if not is_dry_run:
        print_report(report)


@contextmanager
def _opened(report: Report) -> Iterator[Database | None]:
    """The database as it is; None, and a finding, if it cannot be reached."""
    with ExitStack() as stack:
        settings = _settings(report)
        yield _open(report, settings, stack) if settings else None


def _settings(report: Report) -> Settings | None:
    try:
        return load_settings()
    except ConfigurationError as error:
        report.findings.append(found("settings_unusable", detail=str(error)))
        return None


def _open(report: Report, settings: Settings, stack: ExitStack) -> Database | None:
    report.findings += examine_home(settings)
    try:
        database = stack.enter_context(open_database(settings, upgrade=False))
        database.connect().close()
    except NoHome as error:
        report.findings.append(found("no_home", detail=str(error)))
    except DatabaseUnavailable as error:
        report.findings.append(found("database_unanswering", detail=str(error)))
    except ConfigurationError as error:
        report.findings.append(found("database_refusing", detail=str(error)))
    else:
        return database
    report.unexamined += [Unexamined(area, None, "there is no database to look into") for area in OF_DATABASE]
    return None


def _examine(database: Database, report: Report, org: str | None, *, is_offline: bool) -> None:
    extent = Extent(DEFAULT_SOURCE.adapter, is_offline=is_offline, only_one=bool(org))
    with database.connect(autocommit=True) as connection, shown_stages() as watching:
        examination = Examination(database, report, watching, extent)
        examination.of_database(connection)
        orgs = _orgs(examination, connection, org)
        with _answering(database, orgs, is_offline=is_offline):
            examination.of_churches(connection, orgs)


def _answering(database: Database, orgs: Sequence[Org], *, is_offline: bool) -> AbstractContextManager[None]:
    """Keep the demo's simulator running during the block, if any request will be made."""
    try:
        is_wanted = not is_offline and bool(orgs) and may_be_subscribed(database)
    except TROUBLE:  # which the examination will say
        is_wanted = False
    return demo_answers(database, [each.org_id for each in orgs]) if is_wanted else nullcontext()


def _orgs(examination: Examination, connection: psycopg.Connection[Any], org: str | None) -> Sequence[Org]:
    try:
        return [find_org(connection, org)] if org else list_orgs(connection)
    except TROUBLE as error:
        for area in OF_DATABASE[1:]:
            examination.unexamined(area, None, error)
        return []


def _repair(
    database: Database, report: Report, *, dry_run: bool, yes: bool, is_offline: bool
) -> tuple[Order, list[OrgRepair]]:
    """Mend the OpenFaith tables of orgs with repairable findings; the report then has the remaining ones."""
    repairable = [each for each in report.findings if each.kind.is_repairable]
    org_ids = list(dict.fromkeys(each.org_id for each in repairable if each.org_id))
    are_gone = [each.org_id for each in repairable if each.org_id and each.kind.name == "deletes_unmarked"]
    order = Order(org_ids, {} if is_offline else _kept(database, are_gone))
    foreseen = foresee_repair(database, order) if org_ids and (dry_run or not yes) else []
    if dry_run or not org_ids:
        return order, foreseen
    if not yes:
        print_repair("to be written", foreseen, report.orgs, to_stderr=True)
        rows = terminal.number_of(sum(each.rows for each in foreseen), "row")
        terminal.confirm(f"Write {rows} of {terminal.number_of(len(org_ids), 'org')}?")
    done = repair(database, order)
    report.replace(Area.OPENFAITH, _left(database, org_ids))
    return order, done


def _kept(database: Database, org_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    async def kept() -> dict[str, dict[str, str]]:
        return {org_id: await find_kept(database, org_id, DEFAULT_SOURCE.adapter) for org_id in org_ids}

    return run_at_source(database, org_ids, kept)


def _left(database: Database, org_ids: Sequence[str]) -> dict[str, list[Finding]]:
    return {org_id: list(find_dead_ends(database, org_id)) for org_id in org_ids}
