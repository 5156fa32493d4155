"""One look at everything, part by part: a part that cannot be looked at is named, and the others are looked at."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import dict_row

from openfaith_pipeline.audit.dead_ends import DeadEnds
from openfaith_pipeline.audit.looking import Watching
from openfaith_pipeline.connections.client import ClientFactory
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.refusals import TROUBLE, unreadable_in_words
from openfaith_pipeline.doctor import churches, records, webhooks
from openfaith_pipeline.doctor.kinds import Area
from openfaith_pipeline.doctor.report import Finding, Report, Unexamined, found, found_all
from openfaith_pipeline.doctor.server import examine_erasures, examine_schema, examine_server
from openfaith_pipeline.errors import ConfigurationError, OpenFaithError
from openfaith_pipeline.load.left_behind import syncs_left
from openfaith_pipeline.orgs.registry import Org
from openfaith_pipeline.orgs.status import OrgStatus, statuses_of
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.webhooks.inspection import LAST_IN_LINE, inspect_subscriptions

_CHURCHES_AT_ONCE: Final = 4


@dataclass(frozen=True)
class Extent:
    """adapter: of the source. is_offline: whether the source gets no request. only_one: whether a church was named."""

    adapter: str
    is_offline: bool = False
    only_one: bool = False


@dataclass(frozen=True)
class Examination:
    """Fills a report."""

    database: Database
    report: Report
    watching: Watching
    extent: Extent
    client_factory: ClientFactory = LAST_IN_LINE

    def of_database(self, connection: Connection[Any]) -> None:
        """Examine the server and its tables. The connection is in autocommit, as in all parts."""
        self._look(Area.DATABASE, None, lambda: examine_server(connection))
        try:
            self.report.findings += examine_schema(self.database, connection)
        except ConfigurationError as error:
            self.report.findings.append(found("schema_other", detail=str(error)))
        except TROUBLE as error:
            self.unexamined(Area.DATABASE, None, error)
        self._look(Area.DATABASE, None, lambda: examine_erasures(connection))

    def of_churches(self, connection: Connection[Any], orgs: Sequence[Org]) -> None:
        """Examine the bookkeeping, then the subscriptions at the source, then the rows, which take the longest."""
        self.report.orgs.update({org.org_id: org.name for org in orgs})
        statuses = self._statuses(connection, orgs)
        self.of_bookkeeping(connection, orgs, statuses)
        if not self.extent.is_offline:
            self.watching.began("reading subscriptions from Planning Center", len(orgs))
            asyncio.run(self._subscriptions([org for org in orgs if org.paused_at is None]))
        self.watching.began("looking at the rows", len(orgs))
        for org in orgs:
            self.of_rows(connection, org, statuses.get(org.org_id))
            self.watching.step(org.org_id)

    def of_bookkeeping(
        self, connection: Connection[Any], orgs: Sequence[Org], statuses: Mapping[str, OrgStatus]
    ) -> None:
        """Examine everything that needs neither requests nor rows."""
        org_ids = [org.org_id for org in orgs]
        only = org_ids[0] if self.extent.only_one else None
        self._look(Area.SYNCS, only, lambda: found_all("syncs_left_running", only, syncs_left(connection, only)))
        self.watching.began("looking at the bookkeeping", len(orgs))
        for org in orgs:
            self._of_org(connection, org.org_id, statuses.get(org.org_id))
            self.watching.step(org.org_id)
        self._look(Area.DELIVERIES, only, lambda: webhooks.examine_deliveries(connection, org_ids))

    def _of_org(self, connection: Connection[Any], org_id: str, status: OrgStatus | None) -> None:
        settings, adapter = self.database.settings, self.extent.adapter
        self._look(Area.SYNCS, org_id, lambda: churches.examine_syncs(connection, settings, org_id))
        if status:
            self._look(
                Area.CONNECTIONS, org_id, lambda: churches.examine_connection(connection, settings, status, adapter)
            )
            self._look(Area.STREAMS, org_id, lambda: churches.examine_streams(connection, settings, status))
        self._look(Area.BUDGETS, org_id, lambda: churches.examine_budget(connection, org_id, adapter))
        self._look(Area.SUBSCRIPTIONS, org_id, lambda: webhooks.examine_state(connection, org_id, adapter))

    def _statuses(self, connection: Connection[Any], orgs: Sequence[Org]) -> Mapping[str, OrgStatus]:
        try:
            return {status.org.org_id: status for status in statuses_of(connection, orgs, self.extent.adapter)}
        except TROUBLE as error:
            for area in (Area.CONNECTIONS, Area.STREAMS, Area.RECORDS):
                self.unexamined(area, None, error)
            return {}

    async def _subscriptions(self, orgs: Sequence[Org]) -> None:
        slots = asyncio.Semaphore(_CHURCHES_AT_ONCE)
        await asyncio.gather(*(self._subscriptions_of(org.org_id, slots) for org in orgs))

    async def _subscriptions_of(self, org_id: str, slots: asyncio.Semaphore) -> None:
        async with slots:
            try:
                inspected = await inspect_subscriptions(
                    self.database, org_id, self.extent.adapter, client_factory=self.client_factory
                )
            except ConfigurationError as error:
                self.unexamined(Area.SUBSCRIPTIONS, org_id, error)
            except OpenFaithError as error:
                self.report.findings.append(found("source_refuses", org_id, detail=str(error)))
            except TROUBLE as error:
                self.unexamined(Area.SUBSCRIPTIONS, org_id, error)
            else:
                if inspected:
                    self.report.findings += webhooks.findings_of(inspected, org_id)
            self.watching.step(org_id)

    def of_rows(self, connection: Connection[Any], org: Org, status: OrgStatus | None) -> None:
        """Examine raw rows and OpenFaith's."""
        if status:
            streams = [STREAMS[each.stream] for each in status.streams if each.row_count and each.stream in STREAMS]
            self._look(Area.RECORDS, org.org_id, lambda: records.examine_parents(connection, org.org_id, streams))
        self._look(Area.OPENFAITH, org.org_id, lambda: find_dead_ends(self.database, org.org_id))

    def _look(self, area: Area, org_id: str | None, look: Callable[[], Iterable[Finding]]) -> None:
        try:
            self.report.findings += look()
        except (OpenFaithError, *TROUBLE) as error:
            self.unexamined(area, org_id, error)

    def unexamined(self, area: Area, org_id: str | None, error: Exception) -> None:
        """Note that the part could not be looked at."""
        self.report.unexamined.append(Unexamined(area, org_id, unreadable_in_words(error)))


def find_dead_ends(database: Database, org_id: str) -> Iterable[Finding]:
    """OpenFaith rows of the org that lead nowhere."""
    with database.connect(autocommit=True, row_factory=dict_row) as connection:
        dead_ends = list(DeadEnds(connection, org_id, database.settings.canonical_schema).all())
    return records.findings_of(dead_ends, org_id)
