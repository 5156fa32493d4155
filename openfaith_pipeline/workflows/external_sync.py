"""`ExternalSyncWorkflow`: sync a church from Planning Center."""

from collections.abc import Sequence

from pydantic import Field, field_validator

from openfaith_pipeline.inbox.sync_requests import SYNC_WORKFLOW
from openfaith_pipeline.sources import DEFAULT_SOURCE, SOURCES, STREAMS
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.workflows.definition import Payload, Workflow


class ExternalSyncPayload(Payload):
    """tokenKey: the org. streams: their names, such as people.emails; all when null."""

    tokenKey: str = Field(description="The org, as `org list` shows it.", examples=["org_01k5t0w2m1e9qv4y8z3n7b6c5d"])  # noqa: N815 - OpenFaith's name
    adapter: str = Field(
        default=DEFAULT_SOURCE.adapter,
        description="The source to sync from.",
        json_schema_extra={"enum": list(SOURCES)},
    )
    mode: SyncMode = SyncMode.INCREMENTAL
    streams: Sequence[str] | None = Field(default=None, description="Such as people.emails; all when null.")

    @field_validator("adapter")
    @classmethod
    def _joined(cls, adapter: str) -> str:
        if adapter not in SOURCES:
            raise ValueError(f"there is no source {adapter[:80]!r}; there is {', '.join(SOURCES)}")
        return adapter

    @field_validator("streams")
    @classmethod
    def _known(cls, names: Sequence[str] | None) -> Sequence[str] | None:
        for name in names or ():
            if name not in STREAMS:
                raise ValueError(f"there is no stream {name[:80]!r}")
        return names if names is None else sorted(set(names))


EXTERNAL_SYNC = Workflow(
    name=SYNC_WORKFLOW,
    description="Sync an org from Planning Center into the raw tables and from those into OpenFaith's.",
    payload=ExternalSyncPayload,
    org_id=lambda payload: payload.tokenKey,
)
