"""Rebuild the OpenFaith tables from the raw ones: each org in one transaction, as a sync that can be rolled back."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from psycopg import Connection

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.refusals import TROUBLE
from openfaith_pipeline.errors import OpenFaithError, RebuildRefused, UnknownOrg
from openfaith_pipeline.load.leases import hold_org
from openfaith_pipeline.load.sync_leases import lease_kept
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, finish_sync
from openfaith_pipeline.review.delete_guards import ANY, guards_of
from openfaith_pipeline.sources import CANONICAL, STREAMS
from openfaith_pipeline.transform.rebuild import Rebuilt, rebuild_org
from openfaith_pipeline.transform.workspace import UNWATCHED, Watching

MODE: Final = "rebuild"


@dataclass(frozen=True)
class RebuildOrder:
    """A rebuild to perform. ignores_guards: however many rows it marks deleted. run_id: of its Dagster run."""

    org_ids: Sequence[str]
    ignores_guards: bool = False
    trigger: str = "cli"
    sync_id: str = field(default_factory=lambda: str(uuid4()))
    run_id: str | None = None


@dataclass(frozen=True)
class OrgRebuild:
    """Result for one org. failure: why nothing was changed; `tables` then may have the intended changes."""

    org_id: str
    tables: Mapping[str, Rebuilt] = field(default_factory=dict)
    failure: OpenFaithError | None = None

    @property
    def error(self) -> str | None:
        return str(self.failure) if self.failure else None

    @property
    def written(self) -> int:
        return sum(table.written for table in self.tables.values())


Begun = Callable[[str], object]
"""Called with each org as it begins."""


def rebuild(
    database: Database, order: RebuildOrder, begun: Begun = lambda _: None, watching: Watching = UNWATCHED
) -> list[OrgRebuild]:
    """Rebuild each org's tables in a transaction of its own; a failure affects that org only and is in its result.

    An org that is being synced is refused. While one is rebuilt, its syncs wait, and readers see it as it was before.
    """
    with database.connect(autocommit=True) as connection:
        requested = {"orgs": sorted(order.org_ids), "ignores_guards": order.ignores_guards}
        begin_sync(connection, SyncStart(order.sync_id, order.run_id, MODE, order.trigger, requested))
        try:
            with lease_kept(database, order.sync_id):
                done = list(_each(database, connection, order, begun, watching, is_kept=True))
        except BaseException as error:
            with suppress(*TROUBLE):  # if Postgres is away, its lease runs out
                finish_sync(connection, order.sync_id, f"{type(error).__name__}: the org under way is as it was before")
            raise
        failed = [_recorded(each) for each in done if each.error]
        finish_sync(connection, order.sync_id, f"not rebuilt: {'; '.join(failed)}" if failed else None)
    return done


def _recorded(failed: OrgRebuild) -> str:
    """The reason as it is recorded: without the id of an org that was erased meanwhile."""
    is_gone = isinstance(failed.failure, UnknownOrg)
    return "an org that was erased meanwhile" if is_gone else f"{failed.org_id}: {failed.error}"


def foresee_rebuild(
    database: Database, order: RebuildOrder, begun: Begun = lambda _: None, watching: Watching = UNWATCHED
) -> list[OrgRebuild]:
    """A preview of `rebuild`, exact, by org."""
    with database.connect(autocommit=True) as connection:
        return list(_each(database, connection, order, begun, watching, is_kept=False))


def _each(
    database: Database,
    connection: Connection[Any],
    order: RebuildOrder,
    begun: Begun,
    watching: Watching,
    *,
    is_kept: bool,
) -> Iterator[OrgRebuild]:
    schema = database.settings.canonical_schema
    for org_id in order.org_ids:
        begun(org_id)
        tables: dict[str, Rebuilt] = {}
        try:
            with connection.transaction(force_rollback=not is_kept), hold_org(connection, org_id, STREAMS):
                tables.update(rebuild_org(connection, org_id, schema=schema, sync_id=order.sync_id, watching=watching))
                if not order.ignores_guards:
                    _check_guards(connection, org_id, tables)
        except OpenFaithError as error:
            yield OrgRebuild(org_id, tables, error)
        else:
            yield OrgRebuild(org_id, tables)


def _check_guards(connection: Connection[Any], org_id: str, tables: Mapping[str, Rebuilt]) -> None:
    """Raise RebuildRefused if a table would lose more rows than a guard of its streams allows."""
    lost = [f"{each.ended} of {each.table}" for each in tables.values() if _is_held(connection, org_id, each)]
    if lost:
        raise RebuildRefused(
            f"nothing in the raw tables of {org_id} leads to {', '.join(lost)}, which is more than its guards allow to"
            " be marked deleted at once. If raw rows were lost, `sync ORG --mode full_refresh` reads them again; if"
            " it is right, --ignore-guards marks them deleted"
        )


def _is_held(connection: Connection[Any], org_id: str, rebuilt: Rebuilt) -> bool:
    if not rebuilt.ended:
        return False
    table = CANONICAL.tables.get(rebuilt.table)
    streams = [entity.stream.name for entity in table.entities] if table else [ANY]
    rows = rebuilt.row_count + rebuilt.ended
    return any(guard.holds(rebuilt.ended, rows) for guard in guards_of(connection, org_id, streams))
