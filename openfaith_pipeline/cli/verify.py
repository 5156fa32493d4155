"""`verify`: prove that an org's tables equal the source."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from openfaith_pipeline.audit.records import keep_verification
from openfaith_pipeline.audit.report import Verification
from openfaith_pipeline.audit.verification import Extent, verify_org
from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.demo_running import run_at_source
from openfaith_pipeline.cli.org_names import OrgName
from openfaith_pipeline.cli.selection import Products, StreamNames, choose_streams
from openfaith_pipeline.cli.stages import shown_stages
from openfaith_pipeline.database import open_database
from openfaith_pipeline.orgs.naming import find_org
from openfaith_pipeline.settings import load_settings

_EXAMPLES_SHOWN: Final = 5

Full = Annotated[bool, typer.Option("--full", help="Read everything, with as many requests as a reconcile.")]


def verify(
    org: OrgName,
    full: Full = False,
    product: Products = None,
    stream: StreamNames = None,
    as_json: terminal.JsonOption = False,
) -> None:
    """Prove that a church's tables equal Planning Center, or name each difference, its cause and its remedy.

    Compared are: the numbers of records; ids and contents of a sample of pages, and of everything with --full; every
    row with the journal; every OpenFaith row, link and edge with the raw rows; differences a second time, by a request
    for the record itself. A sample takes at most half the requests of a sync that reads everything, and waits for
    every sync. Nothing is changed: only the report is kept, for the status page.

    A change that is newer than the last sync is not a difference; it is counted as behind.

    \b
    Examples:
      openfaith-pipeline verify org_01k5t0w2m1e9qv4y8z3n7b6c5d
      openfaith-pipeline verify "Cedar Hollow Chapel" --full
      openfaith-pipeline verify org_01k5t0w2m1e9qv4y8z3n7b6c5d --stream people.emails --json

    Streams that Planning Center withholds, and those that a sample does not reach, are not compared; the result counts
    them, and the JSON names them.

    \b
    Exit codes: 0 everything compared is equal; 1 it differs, or is incomplete: nothing or not everything could be
    compared, and the rest is equal; 2 no such org or stream, or nothing was synced yet; 130 interrupted.
    """
    chosen = choose_streams(product or (), stream or ()) if product or stream else None
    with open_database(load_settings()) as database:
        with database.connect() as connection:
            org_id = find_org(connection, org).org_id
        extent = Extent(chosen, is_full=full, with_canonical=chosen is None)
        with shown_stages() as watching:
            report = run_at_source(database, [org_id], lambda: verify_org(database, org_id, extent, watching=watching))
        with database.connect() as connection:
            keep_verification(connection, report, "cli")
    described = report.described()
    if as_json:
        terminal.print_json(described)
    else:
        _print(described, report)
    if report.status != "equal":
        raise typer.Exit(1)


def _print(described: Mapping[str, Any], report: Verification) -> None:
    parts = {**described["streams"], **described["canonical"]}
    told = {name: part for name, part in parts.items() if part["status"] != "equal" or part["behind"]}
    if told:
        columns = ("where", "status", "source", "rows", "compared", "missing", "extra", "different", "behind")
        numbers = columns[2:]
        rows = [_row(name, part) for name, part in told.items()]
        terminal.output().print(terminal.table(columns, rows, numbers=numbers, first_to_go=("compared", "source")))
    for name, part in told.items():
        _explain(name, part)
    compared = f"{terminal.number_of(report.compared, 'record')} compared with the source"
    requests = f"{terminal.number_of(report.requests, 'request')}, a full reading takes {report.sync_requests:,}"
    terminal.say(f"{len(report.streams)} streams and {len(report.canonical)} OpenFaith tables: {compared} ({requests})")
    sure = described["confidence"]
    if report.status == "equal" and sure:
        terminal.say(
            f"with {sure['level']:.0%} confidence at most {sure['at_most']:.2%} of the records differ; --full reads all"
        )
    terminal.report(_verdict(report))


def _verdict(report: Verification) -> str:
    """The status, and the streams about which it says nothing."""
    withheld, skipped = len(report.withheld), len(report.skipped)
    parts = [f"{terminal.number_of(withheld, 'stream')} withheld"] if withheld else []
    parts += [f"{terminal.number_of(skipped, 'stream')} not in the sample"] if skipped else []
    left_out = f", {' and '.join(parts)} and not compared" if parts else ""
    nothing = ": nothing was compared with the source" if report.has_compared_nothing else ""
    return f"{report.status}{nothing}{left_out}"


def _row(name: str, part: Mapping[str, Any]) -> Sequence[str]:
    numbers = ("source_count", "row_count", "compared", "missing", "extra", "different", "behind")
    return [name, part["status"], *(terminal.count(part.get(each) or None) for each in numbers)]


def _explain(name: str, part: Mapping[str, Any]) -> None:
    """Print the differences, grouped by cause."""
    if part.get("reason"):
        terminal.say(f"{name}: {part['status']}: {part['reason']}")
    causes: dict[tuple[str, str, str], list[str]] = {}
    for each in part["examples"]:
        fields = f" ({', '.join(each['fields'])})" if each["fields"] else ""
        causes.setdefault((each["kind"], each["why"], each["mend"]), []).append(f"{each['id']}{fields}")
    for (kind, why, mend), found in causes.items():
        more = f" and {len(found) - _EXAMPLES_SHOWN} more" if len(found) > _EXAMPLES_SHOWN else ""
        terminal.say(f"{name}: {kind}: {'; '.join(found[:_EXAMPLES_SHOWN])}{more}: {why}. Mend: {mend}")
