"""Run a sync that a person waits for: progress on stderr, and options for an org that is already being synced."""

import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.progress import Shown, shown_progress
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import StreamBusy
from openfaith_pipeline.orgs.registry import Org
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.sync.worker import BUSY_PATIENCE_SECONDS

if TYPE_CHECKING:
    from openfaith_pipeline.defs.reports import OrgReport
    from openfaith_pipeline.defs.sync_orders import Beginning, SyncOrder

_BUSY_PATIENCE_SECONDS: Final = 35.0  # longer than a run may go without a heartbeat, even at its start


class IfBusy(StrEnum):
    """The reaction to an org that is already being synced."""

    REFUSE = "refuse"
    WAIT = "wait"
    JOIN = "join"


@dataclass(frozen=True)
class Terms:
    """Conditions for a sync.

    idempotency_key: a second request with it is the same sync.
    choices: by org, the streams of orgs that do not sync all requested ones.
    is_anew: an interrupted sync of the same request is not continued.
    """

    if_busy: IfBusy = IfBusy.REFUSE
    idempotency_key: str | None = None
    choices: Mapping[str, Collection[Stream]] = field(default_factory=dict)
    is_anew: bool = False


AS_USUAL: Final = Terms()


@dataclass(frozen=True)
class Show:
    """The output of a sync. every_stream: as it ends, and not only the whole. dagster_log: Dagster's own, too."""

    every_stream: bool = False
    dagster_log: bool = False


QUIETLY: Final = Show()

_WAITING: Final = {
    IfBusy.REFUSE: "waiting, in case it has died",
    IfBusy.WAIT: "waiting for its end",
    IfBusy.JOIN: "joining",
}


def run_shown(
    database: Database,
    orgs: Sequence[Org],
    streams: Collection[Stream],
    *,
    mode: SyncMode = SyncMode.INCREMENTAL,
    sync_id: str | None = None,
    show: Show = QUIETLY,
    terms: Terms = AS_USUAL,
) -> tuple[str, dict[str, "OrgReport"]]:
    """Run the sync of these orgs with progress on stderr; returns its id and the reports by org.

    sync_id: of a plan to apply.
    Raises StreamBusy if another run of one of them is alive and should be neither waited for nor joined.
    """
    from openfaith_pipeline.defs.sync_orders import SyncOrder

    order = SyncOrder(
        [org.org_id for org in orgs],
        streams,
        mode,
        sync_id or str(uuid4()),
        idempotency_key=terms.idempotency_key,
        choices=terms.choices,
        is_anew=terms.is_anew or sync_id is not None,
        patience_seconds=BUSY_PATIENCE_SECONDS if terms.if_busy is IfBusy.REFUSE else math.inf,
    )
    with shown_progress(database, {org.org_id: org.name for org in orgs}, is_verbose=show.every_stream) as shown:
        return _run(database, order, shown, show, terms)


def _run(
    database: Database, order: "SyncOrder", shown: Shown, show: Show, terms: Terms
) -> tuple[str, dict[str, "OrgReport"]]:
    from openfaith_pipeline.defs.execution import run_sync

    def begin(beginning: "Beginning") -> None:
        shown.watch.follow(beginning.sync_id)
        terminal.say(_in_words(beginning))

    started = time.monotonic()
    is_told = False
    while True:
        try:
            reports = run_sync(database, order, progress=shown.of, begun=begin, is_verbose=show.dagster_log)
            return _sync_of(reports, order.sync_id), reports
        except StreamBusy as error:
            if terms.if_busy is IfBusy.REFUSE and _is_surely_alive(database, error, time.monotonic() - started):
                waiting = "--if-busy wait waits for its end and then syncs"
                raise StreamBusy(f"{error}; {waiting}", error.run_id) from None
            if not is_told:
                terminal.say(f"{_WAITING[terms.if_busy]}: {error}")
            is_told = True
        if terms.if_busy is IfBusy.JOIN and (joined := _join(database, order)):
            return _sync_of(joined, order.sync_id), joined
        time.sleep(1)


def _in_words(beginning: "Beginning") -> str:
    earlier = beginning.earlier
    if earlier is None:
        return f"sync {beginning.sync_id}"
    if not beginning.is_joined:
        return f"going on with sync {beginning.sync_id}, which was interrupted {terminal.age(earlier.seen_at)}"
    if earlier.status == "running":
        return f"joining sync {beginning.sync_id}, which has this key"
    return f"sync {beginning.sync_id} has this key, and {earlier.status} {terminal.age(earlier.seen_at)}"


def _is_surely_alive(database: Database, busy: StreamBusy, seconds_watched: float) -> bool:
    """Whether a run sent a heartbeat while it was watched. A killed run also looks alive for a while."""
    from openfaith_pipeline.defs.live_runs import has_beaten_within

    if seconds_watched > _BUSY_PATIENCE_SECONDS:
        return True
    return busy.run_id is not None and has_beaten_within(database, busy.run_id, seconds_watched)


def _join(database: Database, order: "SyncOrder") -> dict[str, "OrgReport"] | None:
    from openfaith_pipeline.defs.execution import join_runs

    return join_runs(database, order)


def _sync_of(reports: Mapping[str, "OrgReport"], own: str) -> str:
    """The sync that the reports belong to: `own`, or the one that was joined."""
    found = {report.sync_id for report in reports.values()}
    return next(iter(found)) or own if len(found) == 1 else own
