"""Orders of syncs that this process executes, and the sync that each becomes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.defs.reports import OrgReport
from openfaith_pipeline.load.sync_log import (
    RecordedSync,
    SyncStart,
)
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.sync.worker import BUSY_PATIENCE_SECONDS


@dataclass(frozen=True)
class SyncOrder:
    """A sync to execute; `sync_id` names it in our records, `trigger` is its origin.

    idempotency_key: the client's own name for it; a second order with it is the same sync.
    choices: by org, the streams of orgs that do not sync all of `streams`.
    is_anew: an interrupted sync of the same request is not continued.
    patience_seconds: how long to wait for a stream that another sync holds.
    """

    org_ids: Sequence[str]
    streams: Collection[Stream]
    mode: SyncMode = SyncMode.INCREMENTAL
    sync_id: str = field(default_factory=lambda: str(uuid4()))
    trigger: str = "cli"
    idempotency_key: str | None = None
    choices: Mapping[str, Collection[Stream]] = field(default_factory=dict)
    is_anew: bool = False
    patience_seconds: float = BUSY_PATIENCE_SECONDS

    @property
    def start(self) -> SyncStart:
        """The order as a start in the log of syncs."""
        return SyncStart(self.sync_id, None, self.mode, self.trigger, self.asked, self.key)

    def streams_for(self, org_id: str) -> Collection[Stream]:
        return self.choices.get(org_id, self.streams)

    @property
    def key(self) -> str | None:
        """The key in the sync log, in the service's form: keys of different churches never collide."""
        return self.idempotency_key and f"{','.join(sorted(self.org_ids))}:{self.idempotency_key}"

    @property
    def asked(self) -> dict[str, Any]:
        """The order's parameters, for the record."""
        chosen = {name for org_id in self.org_ids for name in (stream.name for stream in self.streams_for(org_id))}
        return {"orgs": list(self.org_ids), "streams": [name for name in STREAMS if name in chosen]}


@dataclass(frozen=True)
class Beginning:
    """The sync that an order becomes. earlier: the one that it continues or joins, as recorded before."""

    sync_id: str
    earlier: RecordedSync | None = None
    is_joined: bool = False


class SyncInterrupted(KeyboardInterrupt):
    """A person ended the sync; `reports` are of the orgs whose runs were begun. The same order continues it."""

    def __init__(self, sync_id: str, reports: Mapping[str, OrgReport]) -> None:
        super().__init__(sync_id)
        self.sync_id = sync_id
        self.reports = reports
