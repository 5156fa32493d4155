"""Progress and time left of a running sync, read from its record now and then by a thread."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from openfaith_pipeline.cli.terminal import number_of, rough_duration
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.refusals import TROUBLE
from openfaith_pipeline.errors import OpenFaithError
from openfaith_pipeline.orgs.sync_progress import SyncProgress, read_sync_progress

_PART_OF_THE_TIME: Final = 20
"""The largest share of time that looks may take, as 1 in this number: with many churches a look takes longer."""


@dataclass(frozen=True)
class Outlook:
    """Progress of a sync. share: from 0 to 1. share, seconds_left: None if too few of its streams were read before."""

    ended: int
    streams: int
    rows: int
    requests: int
    share: float | None
    seconds_left: float | None


def outlook_of(progress: SyncProgress) -> Outlook:
    """The sync's outlook; without share and time left if too few of its streams were read before."""
    known = sum(step.expected_requests is not None for step in progress.streams)
    is_known = 2 * known >= len(progress.streams)
    ended = sum(not step.is_open for step in progress.streams)
    return Outlook(
        ended,
        len(progress.streams),
        progress.rows,
        progress.requests,
        progress.share if is_known else None,
        progress.seconds_left if is_known else None,
    )


def outlook_in_words(outlook: Outlook) -> str:
    """`45%, about 2 min left: 74 of 236 streams, 4,312 rows, 120 requests`."""
    share = "" if outlook.share is None else f"{int(outlook.share * 100)}%"  # only finished work is 100%
    left = "" if outlook.seconds_left is None else f"about {rough_duration(outlook.seconds_left)} left"
    head = ", ".join(filter(None, (share, left)))
    done = (
        f"{outlook.ended:,} of {number_of(outlook.streams, 'stream')}, {number_of(outlook.rows, 'row')},"
        f" {number_of(outlook.requests, 'request')}"
    )
    return f"{head}: {done}" if head else done


class Watch:
    """Looks up and shows the progress of the sync that it follows; skips a look while the database does not answer."""

    def __init__(self, database: Database, show: Callable[[Outlook], None], *, every_seconds: float = 1.0) -> None:
        self._database = database
        self._show = show
        self._every_seconds = every_seconds
        self._sync_id: str | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="outlook", daemon=True)

    def follow(self, sync_id: str) -> None:
        """Follow this sync from now on."""
        self._sync_id = sync_id

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(self._every_seconds)

    def _look(self) -> None:
        took, last = 0.0, None
        while not self._ended.wait(max(self._every_seconds, _PART_OF_THE_TIME * took)):
            began_at = time.monotonic()
            with suppress(OpenFaithError, *TROUBLE):
                found = self._find()
                if found and found != last and not self._ended.is_set():
                    self._show(found)
                    last = found
            took = time.monotonic() - began_at

    def _find(self) -> Outlook | None:
        if self._sync_id is None:
            return None
        with self._database.connect() as connection:
            progress = read_sync_progress(connection, self._sync_id)
        return outlook_of(progress) if progress and progress.is_running else None
