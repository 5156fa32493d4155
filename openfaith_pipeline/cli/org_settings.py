"""`org set` and `org show`: the sync schedule of a church."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.org_names import OrgName, org_id_of
from openfaith_pipeline.cli.periods import parse_period, written_period
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.orgs.org_settings import OrgSettings, SettingsChange, change_settings, settings_of
from openfaith_pipeline.orgs.registry import Org, get_org
from openfaith_pipeline.orgs.turns import Progress, progress_of, reschedule
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sources import DEFAULT_SOURCE

_DEFAULT: Final = "default"
_AS_FOR_ALL: Final = "as for all orgs"

Every = Annotated[
    str | None,
    typer.Option("--every", metavar="TIME", help="Interval between syncs, 1m to 30d. Default 15m."),
]
PollEvery = Annotated[
    str | None,
    typer.Option(
        "--poll-every",
        metavar="TIME",
        help="Interval between reads of streams that can only be listed whole, 1m to 30d. Default 1h.",
    ),
]
ReconcileWithin = Annotated[
    str | None,
    typer.Option(
        "--reconcile-within",
        metavar="TIME",
        help="Time in which each stream is reconciled once, 1d to 90d. Default 7d.",
    ),
]
Streams = Annotated[
    str | None,
    typer.Option(
        "--streams", metavar="LIST", help="Products and streams, such as people,giving.donations. Default all."
    ),
]
KeepJournal = Annotated[
    str | None,
    typer.Option("--keep-journal", metavar="TIME", help="How long changes are kept, 7d or more."),
]
KeepDeliveries = Annotated[
    str | None,
    typer.Option("--keep-deliveries", metavar="TIME", help="How long settled webhook deliveries are kept, 7d or more."),
]
KeepQuarantine = Annotated[
    str | None,
    typer.Option(
        "--keep-quarantine", metavar="TIME", help="How long resolved quarantine entries are kept, 7d or more."
    ),
]


@dataclass(frozen=True)
class _Shown:
    """Everything shown about an org's schedule."""

    org: Org
    settings: OrgSettings
    progress: Sequence[Progress]


def set_schedule(  # noqa: PLR0913, PLR0917 - a verb's options are its parameters
    org: OrgName,
    every: Every = None,
    poll_every: PollEvery = None,
    reconcile_within: ReconcileWithin = None,
    streams: Streams = None,
    keep_journal: KeepJournal = None,
    keep_deliveries: KeepDeliveries = None,
    keep_quarantine: KeepQuarantine = None,
    as_json: terminal.JsonOption = False,
) -> None:
    """Set how often a church is synced, which streams, and how long its past is kept.

    Omitted settings stay; `default` restores a default.

    Examples:
      openfaith-pipeline org set org_01k5t0w2m1e9qv4y8z3n7b6c5d --every 5m --reconcile-within 3d
      openfaith-pipeline org set org_01k5t0w2m1e9qv4y8z3n7b6c5d --streams people,groups,giving.donations
      openfaith-pipeline org set org_01k5t0w2m1e9qv4y8z3n7b6c5d --every default
      openfaith-pipeline org set org_01k5t0w2m1e9qv4y8z3n7b6c5d --keep-journal 90d --keep-deliveries 7d

    Exit codes: 0 set; 1 the database does not answer; 2 no such org, or wrong usage.
    """
    given = {
        "sync_every": every,
        "poll_every": poll_every,
        "reconcile_within": reconcile_within,
        "streams": streams,
        "journal_kept": keep_journal,
        "deliveries_kept": keep_deliveries,
        "quarantine_kept": keep_quarantine,
    }
    if all(value is None for value in given.values()):
        raise UsageError(
            "nothing to set: pass --every, --poll-every, --reconcile-within, --streams, --keep-journal,"
            " --keep-deliveries or --keep-quarantine"
        )
    change = SettingsChange(
        sync_every=_parse_time("--every", every),
        poll_every=_parse_time("--poll-every", poll_every),
        reconcile_within=_parse_time("--reconcile-within", reconcile_within),
        streams=_parse_names(streams),
        journal_kept=_parse_time("--keep-journal", keep_journal),
        deliveries_kept=_parse_time("--keep-deliveries", keep_deliveries),
        quarantine_kept=_parse_time("--keep-quarantine", keep_quarantine),
        reset=frozenset(name for name, value in given.items() if value in {_DEFAULT, "all"}),
    )
    with open_database(load_settings()) as database:
        with database.connect() as connection:
            org_id = org_id_of(connection, org)
            reschedule(connection, org_id, change_settings(connection, org_id, change))
        _print(_read(database, org_id), as_json=as_json)


def show(org: OrgName, as_json: terminal.JsonOption = False) -> None:
    """Show the sync schedule of a church, its next turns, and the outcome of the last one.

    Exit codes: 0 shown; 1 the database does not answer; 2 no such org.
    """
    with open_database(load_settings()) as database:
        with database.connect() as connection:
            org_id = org_id_of(connection, org)
        _print(_read(database, org_id), as_json=as_json)


def _read(database: Database, org_id: str) -> _Shown:
    with database.connect() as connection:
        org = get_org(connection, org_id)
        return _Shown(org, settings_of(connection, org_id), progress_of(connection, org_id, DEFAULT_SOURCE.adapter))


def _parse_time(option: str, text: str | None) -> timedelta | None:
    if text is None or text == _DEFAULT:
        return None
    return parse_period(text, option)


def _parse_names(text: str | None) -> list[str] | None:
    if text is None or text in {_DEFAULT, "all"}:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError("--streams names nothing; give products or streams, or `all`")
    return names


def _print(shown: _Shown, *, as_json: bool) -> None:
    if as_json:
        terminal.print_json(_described(shown))
        return
    settings = shown.settings
    terminal.report(f"{shown.org.name} ({shown.org.org_id})")
    if shown.org.paused_at:
        terminal.output().print(f"paused since {terminal.moment(shown.org.paused_at)}: nothing is synced")
    rows = [
        ["synced every", written_period(settings.sync_every)],
        ["streams listed only whole, every", written_period(settings.poll_every)],
        ["each stream reconciled within", written_period(settings.reconcile_within)],
        ["streams", "all" if settings.streams is None else ", ".join(settings.streams)],
        ["changes kept", _kept(settings.journal_kept) or _AS_FOR_ALL],
        ["settled webhook deliveries kept", _kept(settings.deliveries_kept) or _AS_FOR_ALL],
        ["resolved quarantine entries kept", _kept(settings.quarantine_kept) or _AS_FOR_ALL],
    ]
    terminal.output().print(terminal.table(("setting", "value"), rows))
    turns = [
        [each.kind, _next(each), terminal.moment(each.succeeded_at), str(each.failures), each.error or ""]
        for each in shown.progress
    ]
    if turns:
        columns = ("turn", "next", "last succeeded", "failures", "")
        terminal.output().print(terminal.table(columns, turns, numbers=("failures",)))


def _kept(value: timedelta | None) -> str | None:
    return written_period(value) if value else None


def _next(progress: Progress) -> str:
    if progress.is_under_way:
        return "under way"
    due = "due since " if progress.is_due else ""
    return f"{due}{terminal.moment(progress.next_at)}"


def _described(shown: _Shown) -> dict[str, Any]:
    settings = shown.settings
    return {
        "org_id": shown.org.org_id,
        "name": shown.org.name,
        "paused_at": shown.org.paused_at,
        "settings": {
            "every": written_period(settings.sync_every),
            "poll_every": written_period(settings.poll_every),
            "reconcile_within": written_period(settings.reconcile_within),
            "streams": settings.streams,
        },
        "retention": {
            "journal": _kept(settings.journal_kept),
            "deliveries": _kept(settings.deliveries_kept),
            "quarantine": _kept(settings.quarantine_kept),
        },
        "turns": {
            each.kind: {
                "next_at": each.next_at,
                "is_due": each.is_due,
                "is_under_way": each.is_under_way,
                "succeeded_at": each.succeeded_at,
                "failures": each.failures,
                "error": each.error,
            }
            for each in shown.progress
        },
    }
