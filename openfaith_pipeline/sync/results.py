"""Modes of a sync, its progress reports, and the results of its streams."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Protocol, Self

from openfaith_pipeline.sync.compensation import Compensation


class SyncMode(StrEnum):
    """How much is read."""

    INCREMENTAL = "incremental"
    """Changes since the last sync, as far as the API can select them."""
    RECONCILE = "reconcile"
    """Everything, compared by content: finds deletions, and changes the cursor missed."""
    FULL_REFRESH = "full_refresh"
    """Everything, from the beginning: an unfinished sync is not continued."""


_SUMMED: Final = ("inserted", "updated", "deleted", "merged", "quarantined", "requests", "waited_seconds")


@dataclass(frozen=True)
class StreamResult:
    """Result of one stream of one org.

    status: succeeded, failed, incomplete (published, but the listing could not be proven complete), withheld (the
        source returned neither records nor a refusal, so the rows stay) or unavailable (it refused).
    requests, waited_seconds: of the walk that brought it, counted for the stream whose pages were listed.
    merged: records marked deleted because they were merged into others.
    held: rows that are gone from the source, but exceed a guard and wait for a person.
    withheld_by_erasure: records that were listed and not stored, because they are erased.
    caught: changes that came without a new cursor value, found by reading everything.
    drift: differences of the attributes received from the catalog: `new shoe_size`, `gone nickname`, `retyped grade`.
    compensation: its rollback after a failed blocking check.
    """

    stream: str
    status: str
    mode: str
    fetched: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    merged: int = 0
    held: int = 0
    caught: int = 0
    quarantined: int = 0
    withheld_by_erasure: int = 0
    requests: int = 0
    seconds: float = 0.0
    waited_seconds: float = 0.0
    row_count: int | None = None
    drift: Sequence[str] = ()
    error: str | None = None
    compensation: Compensation | None = None

    def followed_by(self, other: Self) -> Self:
        """The result of two readings of one stream in one sync."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in _SUMMED}
        unchanged = max(0, other.fetched - sums["inserted"] - sums["updated"])
        return replace(other, mode=self.mode, unchanged=unchanged, **sums)

    @property
    def is_unsynced(self) -> bool:
        """Whether it failed in a way that needs attention."""
        return self.status in {"failed", "incomplete"}

    @property
    def is_withheld(self) -> bool:
        """Whether the source does not show it to us, with or without a refusal."""
        return self.status in {"unavailable", "withheld"}


def stored_result(row: Mapping[str, Any]) -> StreamResult:
    """The result that a row of `sync.stream_syncs` stores."""
    names = [name for name in StreamResult.__dataclass_fields__ if name in row]
    return StreamResult(**{name: row[name] for name in names})


class Progress(Protocol):
    """Receives progress as it happens; called from the event loop, so it must not block."""

    def page(self, stream: str, *, fetched: int, requests: int, waited_seconds: float) -> None:
        """A page of the stream was committed: its rows, its requests, seconds waited for the rate limit."""

    def finished(self, result: StreamResult) -> None:
        """The stream has ended."""


class Silence:
    """Progress that is discarded."""

    def page(self, stream: str, *, fetched: int, requests: int, waited_seconds: float) -> None: ...

    def finished(self, result: StreamResult) -> None: ...
