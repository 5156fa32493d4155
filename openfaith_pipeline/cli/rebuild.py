"""`rebuild`: recreate the OpenFaith tables from the raw ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.org_names import OrgNames
from openfaith_pipeline.cli.selection import EveryOrg, choose_orgs
from openfaith_pipeline.cli.stages import Stages, shown_stages
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sync.rebuild import OrgRebuild, RebuildOrder, foresee_rebuild
from openfaith_pipeline.sync.rebuild import rebuild as rebuild_orgs
from openfaith_pipeline.transform.rebuild import Rebuilt

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]
IgnoreGuards = Annotated[
    bool,
    typer.Option("--ignore-guards", help="Mark rows without a record deleted, however many they are."),
]

_NUMBERS: Final = ("inserted", "updated", "ended", "unchanged")


def rebuild(
    orgs: OrgNames = None,
    every_org: EveryOrg = False,
    dry_run: DryRun = False,
    ignore_guards: IgnoreGuards = False,
    yes: terminal.YesOption = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """Rebuild the OpenFaith tables from the raw tables, without a request to Planning Center.

    Rows, links and edges that are missing or differ are written, and those that no record leads to now are marked
    deleted. Ids stay. So do changes that a policy keeps, conflicts that wait, custom fields of others, rows and edges
    that people made, and their deletions. Each church changes at once: its readers see it as before, or rebuilt. A
    church that is being synced is refused, and its syncs wait meanwhile.

    It shows its changes in advance, by church and table, and asks; --yes answers. A rebuild is a sync in `syncs list`,
    and `rollback` undoes it.

    \b
    Examples:
      openfaith-pipeline rebuild "Cedar Hollow Chapel" --dry-run
      openfaith-pipeline rebuild org_01k5t0w2m1e9qv4y8z3n7b6c5d --yes --json
      openfaith-pipeline rebuild --all

    \b
    Exit codes: 0 rebuilt, shown, or nothing differed; 1 a church could not be, named on stderr, or not confirmed; 2 no
    such org; 130 interrupted: the church under way is as it was before.
    """
    with open_database(load_settings()) as database:
        names = {
            org.org_id: org.name for org in choose_orgs(database, orgs or (), every_org=every_org, doing="rebuild")
        }
        order = RebuildOrder(list(names), ignores_guards=ignore_guards)
        if dry_run or not yes:
            foreseen = _watched(foresee_rebuild, database, order, names)
            if dry_run or not _differs(foreseen):
                _conclude(order, foreseen, names, is_done=False, as_json=as_json)
            _print("what would change", foreseen, names, to_stderr=True)
            _complain(foreseen, names)
            terminal.confirm(_question(foreseen))
        done = _watched(rebuild_orgs, database, order, names)
    _conclude(order, done, names, is_done=True, as_json=as_json)


_Act = Callable[[Database, RebuildOrder, Callable[[str], object], Stages], list[OrgRebuild]]


def _watched(act: _Act, database: Database, order: RebuildOrder, names: Mapping[str, str]) -> list[OrgRebuild]:
    with shown_stages() as stages:

        def begun(org_id: str) -> None:
            if len(names) > 1:
                terminal.say(names[org_id])

        return act(database, order, begun, stages)


def _differs(foreseen: Sequence[OrgRebuild]) -> bool:
    return any(each.written for each in foreseen if not each.error)


def _question(foreseen: Sequence[OrgRebuild]) -> str:
    concerned = [each for each in foreseen if each.written and not each.error]
    rows = terminal.number_of(sum(each.written for each in concerned), "row")
    return f"Change {rows} of {terminal.number_of(len(concerned), 'org')}?"


def _conclude(
    order: RebuildOrder, done: Sequence[OrgRebuild], names: Mapping[str, str], *, is_done: bool, as_json: bool
) -> None:
    if as_json:
        terminal.print_json(_described(order, done, is_done=is_done))
    else:
        title = f"rebuilt by {order.sync_id}" if is_done else "what would change"
        _print(title, done, names, to_stderr=False)
    _complain(done, names)
    raise typer.Exit(1 if any(each.error for each in done) else 0)


def _complain(done: Sequence[OrgRebuild], names: Mapping[str, str]) -> None:
    for each in done:
        if each.error:
            terminal.complain(f"{names[each.org_id]}: {each.error}")


def _print(title: str, done: Sequence[OrgRebuild], names: Mapping[str, str], *, to_stderr: bool) -> None:
    rows = [[names[org.org_id], *_row(each)] for org in done for each in org.tables.values() if each.written]
    if not rows:
        if not any(each.error for each in done):
            terminal.report("nothing differs: the OpenFaith tables are as the raw tables make them")
        return
    table = terminal.table(("church", "table", *_NUMBERS), rows, title=title, numbers=_NUMBERS)
    (terminal.messages() if to_stderr else terminal.output()).print(table)


def _row(each: Rebuilt) -> list[str]:
    return [each.table, *(terminal.count(getattr(each, name)) for name in _NUMBERS)]


def _described(order: RebuildOrder, done: Sequence[OrgRebuild], *, is_done: bool) -> dict[str, Any]:
    return {
        "sync_id": order.sync_id if is_done else None,
        "orgs": {
            each.org_id: {
                "rows": each.written,
                "error": each.error,
                "tables": {table: asdict(rebuilt) for table, rebuilt in each.tables.items()},
            }
            for each in done
        },
    }
