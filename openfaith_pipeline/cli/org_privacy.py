"""`org erase` and `org export`."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.erasure_report import (
    Wait,
    describe_reclaimed,
    finished_before,
    print_counts,
    report_finished,
    warn_of_unreclaimed,
)
from openfaith_pipeline.cli.org_names import OrgName
from openfaith_pipeline.cli.org_removal import complain_of, end_subscriptions
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.errors import StreamBusy
from openfaith_pipeline.orgs.naming import find_org
from openfaith_pipeline.orgs.registry import get_org, list_orgs, pause_org, resume_org
from openfaith_pipeline.privacy.org_erasure import OrgCertificate, erase_org, foresee_org_erasure, is_registered
from openfaith_pipeline.privacy.org_export import Format, export_org
from openfaith_pipeline.privacy.waiting import once_free
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sources import SOURCES
from openfaith_pipeline.webhooks.state import state_of, want_subscriptions


def erase(
    org: OrgName,
    wait: Wait = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be erased.")] = False,
    yes: terminal.YesOption = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """Erase a church: all its rows, its history, its credentials and its part of Dagster, which cannot be undone.

    It shows the counts and asks first; --yes answers. The webhook subscriptions at Planning Center are ended before.
    Also for a church that was removed (org remove), by its whole id. Only the certificate stays: when, who did
    it, and how many rows. If it is killed, run it again: until the rows are gone the church is as it was, but paused
    and without subscriptions; afterwards, by its whole id, the tables that were not rewritten are.

    \b
    Examples:
      openfaith-pipeline org erase "Cedar Hollow Chapel" --dry-run
      openfaith-pipeline org erase org_01k5t0w2m1e9qv4y8z3n7b6c5d --wait --yes

    \b
    Exit codes: 0 erased; 1 not confirmed, a sync of the org is running, or the database does not answer; 2 no such org.
    """
    with open_database(load_settings()) as database:
        if not dry_run and _is_gone(database, org) and (finished := finished_before(database, org)):
            _drop_partition(database)
            report_finished(*finished, as_json=as_json)
            return
        org_id, name, is_live = _found(database, org)
        if dry_run or not yes:
            foreseen = once_free(lambda: foresee_org_erasure(database, org_id), wait=wait, tell=terminal.say)
            if dry_run and as_json:
                terminal.print_json({**_described(foreseen), "erasure_id": None, "erased_at": None})
                return
            print_counts(f"{org_id} ({name}): what would be erased", foreseen.counts, to_stderr=not dry_run)
            if dry_run:
                return
            terminal.confirm(f"Erase all of {org_id} ({name}) for good?")
        with _ended(database, org_id) if is_live else nullcontext():
            certificate = once_free(
                lambda: erase_org(database, org_id, terminal.who(), terminal.say), wait=wait, tell=terminal.say
            )
        _drop_partition(database)
    if as_json:
        terminal.print_json(_described(certificate))
    else:
        print_counts(f"erased: certificate {certificate.erasure_id}", certificate.counts)
    warn_of_unreclaimed(certificate.reclaimed)


def export(
    org: OrgName,
    kind: Annotated[
        Format,
        typer.Option(
            "--format", help="json: one object a line; csv: with a heading, exact, so that a text may be a formula."
        ),
    ] = "json",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The zip to write, which may not exist yet. Default: here."),
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="With every change of every row.")] = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """Write everything stored of a church to a zip that only you may read: one file for each table.

    All files show the same moment, while syncs go on.

    \b
    Examples:
      openfaith-pipeline org export "Cedar Hollow Chapel"
      openfaith-pipeline org export org_01k5t0w2m1e9qv4y8z3n7b6c5d --format csv --history --out church.zip

    \b
    Exit codes: 0 written; 1 the file cannot be written, or the database does not answer; 2 no such org, or the file
    exists already.
    """
    with open_database(load_settings()) as database:
        org_id, _, _ = _found(database, org)
        path = out or Path(f"{org_id}-{datetime.now(UTC):%Y-%m-%d}.zip")
        counts = export_org(database, org_id, path, kind, with_history=history, tell=terminal.say)
    if as_json:
        terminal.print_json({"org_id": org_id, "file": path.resolve(), "rows": counts})
        return
    terminal.report(f"wrote {terminal.number_of(sum(counts.values()), 'row')} to {path.resolve()}")


def _is_gone(database: Database, org_id: str) -> bool:
    with database.connect() as connection:
        return not is_registered(connection, org_id)


def _found(database: Database, name: str) -> tuple[str, str, bool]:
    """Id and name of the org, and whether it is still synced."""
    with database.connect() as connection:
        if is_registered(connection, name) and all(org.org_id != name for org in list_orgs(connection)):
            return name, "removed", False
        org = find_org(connection, name)
    return org.org_id, org.name, True


@contextmanager
def _ended(database: Database, org_id: str) -> Iterator[None]:
    """Pause the org, so that nothing new begins, and end its subscriptions; a busy org gets all back."""
    with database.connect() as connection:
        was_paused = get_org(connection, org_id).paused_at is not None
        wanted = [adapter for adapter in SOURCES if state_of(connection, org_id, adapter).is_wanted]
        pause_org(connection, org_id)
    for adapter in SOURCES:
        complain_of(org_id, end_subscriptions(database, org_id, adapter))
    try:
        yield
    except StreamBusy:
        with database.connect() as connection:
            for adapter in wanted:
                want_subscriptions(connection, org_id, adapter, is_wanted=True)
            if not was_paused:
                resume_org(connection, org_id)
        raise


def _drop_partition(database: Database) -> None:
    from openfaith_pipeline.defs.instance import open_instance
    from openfaith_pipeline.defs.partitions import align_partitions

    with database.connect() as connection:
        org_ids = [org.org_id for org in list_orgs(connection)]
    with open_instance(database.settings, database) as instance:
        align_partitions(instance, org_ids)


def _described(certificate: OrgCertificate) -> dict[str, object]:
    described = certificate._asdict()
    described["tables"] = describe_reclaimed(described.pop("reclaimed"))
    return described
