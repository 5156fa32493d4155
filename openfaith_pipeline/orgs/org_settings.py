"""Settings of each org: how often it is synced, and which streams."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from psycopg import Connection, sql
from psycopg.rows import dict_row

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.errors import UnknownStream, UsageError
from openfaith_pipeline.orgs.registry import get_org
from openfaith_pipeline.sources import PRODUCTS, STREAMS

SYNC_EVERY: Final = timedelta(minutes=15)
POLL_EVERY: Final = timedelta(hours=1)
RECONCILE_WITHIN: Final = timedelta(days=7)

_KEPT: Final = ("journal_kept", "deliveries_kept", "quarantine_kept")
_COLUMNS: Final = ("sync_every", "poll_every", "reconcile_within", "streams", *_KEPT)
_EVERY_BOUNDS: Final = (timedelta(minutes=1), timedelta(days=30))
_WITHIN_BOUNDS: Final = (timedelta(days=1), timedelta(days=90))
_KEPT_BOUNDS: Final = (timedelta(days=7), timedelta(days=9999))
"""Planning Center repeats a delivery for five and a half days: one that was forgotten before would be applied again."""


@dataclass(frozen=True)
class OrgSettings:
    """Sync schedule of an org.

    sync_every: interval between incremental syncs.
    poll_every: interval between reads of streams without a cursor, which can only be read whole; other syncs skip them.
    reconcile_within: time in which each stream is reconciled once.
    streams: names of products and streams; None for everything, including streams that later versions add.
    journal_kept, deliveries_kept, quarantine_kept: how long changes, settled webhook deliveries and resolved quarantine
        entries are kept; None for the default of all orgs.
    """

    sync_every: timedelta = SYNC_EVERY
    poll_every: timedelta = POLL_EVERY
    reconcile_within: timedelta = RECONCILE_WITHIN
    streams: Sequence[str] | None = None
    journal_kept: timedelta | None = None
    deliveries_kept: timedelta | None = None
    quarantine_kept: timedelta | None = None

    def chosen_streams(self) -> tuple[Stream, ...]:
        """The streams to sync. Names that the catalog no longer has are ignored."""
        wanted = None if self.streams is None else set(self.streams)
        return tuple(
            stream
            for stream in STREAMS.values()
            if wanted is None or stream.name in wanted or stream.product.value in wanted
        )


@dataclass(frozen=True)
class SettingsChange:
    """Settings to change; None leaves a setting as it is, and a name in `reset` restores its default."""

    sync_every: timedelta | None = None
    poll_every: timedelta | None = None
    reconcile_within: timedelta | None = None
    streams: Sequence[str] | None = None
    journal_kept: timedelta | None = None
    deliveries_kept: timedelta | None = None
    quarantine_kept: timedelta | None = None
    reset: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        """Raise UsageError for a time out of bounds, UnknownStream for a name that is not in the catalog."""
        _check_between("every", self.sync_every, _EVERY_BOUNDS)
        _check_between("poll-every", self.poll_every, _EVERY_BOUNDS)
        _check_between("reconcile-within", self.reconcile_within, _WITHIN_BOUNDS)
        for name in _KEPT:
            _check_between(f"keep-{name.removesuffix('_kept')}", getattr(self, name), _KEPT_BOUNDS)
        _check_names(self.streams or ())


def settings_of(connection: Connection[Any], org_id: str) -> OrgSettings:
    """The org's settings, with defaults for those it has not set; raises UnknownOrg."""
    get_org(connection, org_id)
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            sql.SQL("SELECT {} FROM sync.org_settings WHERE org_id = %s").format(
                sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
            ),
            (org_id,),
        ).fetchone()
    return OrgSettings(**{name: value for name, value in (row or {}).items() if value is not None})


def change_settings(connection: Connection[Any], org_id: str, change: SettingsChange) -> OrgSettings:
    """Apply the change and return all settings; raises UnknownOrg."""
    get_org(connection, org_id)
    values = {name: getattr(change, name) for name in _COLUMNS}
    columns = sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
    changes = sql.SQL(", ").join(
        sql.SQL("{0} = CASE WHEN {1} = ANY(%(reset)s) THEN NULL ELSE coalesce(excluded.{0}, had.{0}) END").format(
            sql.Identifier(name), sql.Literal(name)
        )
        for name in _COLUMNS
    )
    connection.execute(
        sql.SQL(
            "INSERT INTO sync.org_settings AS had (org_id, {}) VALUES (%(org_id)s, {})"
            " ON CONFLICT (org_id) DO UPDATE SET updated_at = now(), {}"
        ).format(columns, sql.SQL(", ").join(map(sql.Placeholder, _COLUMNS)), changes),
        {
            **values,
            "streams": None if change.streams is None else list(change.streams),
            "org_id": org_id,
            "reset": list(change.reset),
        },
    )
    return settings_of(connection, org_id)


def _check_between(name: str, value: timedelta | None, bounds: tuple[timedelta, timedelta]) -> None:
    if value is not None and not bounds[0] <= value <= bounds[1]:
        raise UsageError(f"--{name} must be from {_duration(bounds[0])} to {_duration(bounds[1])}")


def _duration(value: timedelta) -> str:
    return f"{value.days}d" if value.days else f"{value.seconds // 60}m"


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if name not in PRODUCTS and name not in STREAMS:
            raise UnknownStream(f"there is no product or stream {name[:80]!r}; `openfaith-pipeline catalog` lists both")
