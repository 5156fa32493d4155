"""Health of each org's connection to a source, the same wherever it is shown.

The stored state comes from the responses to earlier requests. `degraded` is derived from streams that are withheld, and
`connected` from a stream that has succeeded: until then nobody knows that anything can be read.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Literal

from psycopg import Connection
from psycopg.rows import tuple_row

from openfaith_pipeline.catalog.source import Product
from openfaith_pipeline.sources import SOURCES, STREAMS, names_of_source, streams_of

State = Literal["connected", "degraded", "needs_reconnect", "paused", "not_connected", "never_synced"]

# Without COLLATE, the index would be searched for each stream's name. The last subquery is not an EXISTS: that would be
# hashed, which reads every state of every org.
_HEALTH: Final = """
SELECT org.org_id, org.paused_at IS NOT NULL, connection.state, connection.reason,
       (SELECT array_agg(ARRAY[stream, availability, availability_reason] ORDER BY stream)
          FROM sync.stream_states AS withheld
         WHERE withheld.org_id = org.org_id AND stream COLLATE "C" = ANY(%(streams)s)
           AND availability IN ('not_granted', 'forbidden', 'withheld')),
       (SELECT count(*) FROM sync.alerts WHERE alerts.org_id = org.org_id AND resolved_at IS NULL),
       (SELECT true FROM sync.stream_states AS state
         WHERE state.org_id = org.org_id AND stream COLLATE "C" = ANY(%(streams)s)
           AND state.last_succeeded_at IS NOT NULL LIMIT 1) IS NOT NULL
  FROM sync.orgs AS org
  LEFT JOIN sync.source_connections AS connection
       ON connection.org_id = org.org_id AND connection.adapter = %(adapter)s
 WHERE org.removed_at IS NULL AND (%(orgs)s::text[] IS NULL OR org.org_id = ANY(%(orgs)s))
"""


@dataclass(frozen=True)
class WithheldProduct:
    """A product with streams that its source withholds. streams: names; is_whole: all streams of the product."""

    product: str
    streams: tuple[str, ...]
    is_whole: bool
    reason: str

    def __str__(self) -> str:
        return self.product if self.is_whole else f"{self.product} ({len(self.streams)} of its types)"


@dataclass(frozen=True)
class Health:
    """Health of an org's connection. reason: for people, why it is not healthy. open_alerts: of the org, in all."""

    state: State
    reason: str | None
    withheld: tuple[WithheldProduct, ...]
    open_alerts: int

    def __str__(self) -> str:
        return f"{self.state.replace('_', ' ')}{f': {self.reason}' if self.reason else ''}"


def read_health(
    connection: Connection[Any], org_ids: Collection[str] | None = None, *, adapter: str
) -> dict[str, Health]:
    """Health of the connection to this source by org, of these orgs or of all that were not removed."""
    given = None if org_ids is None else list(org_ids)
    values = {"orgs": given, "adapter": adapter, "streams": names_of_source(adapter)}
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(_HEALTH, values).fetchall()
    return {org_id: _health(SOURCES[adapter].title, *row) for org_id, *row in rows}


def _health(
    title: str,
    is_paused: bool,
    stored: str | None,
    reason: str | None,
    streams: list[list[str]] | None,
    open_alerts: int,
    has_succeeded: bool,
) -> Health:
    withheld = _by_product(streams or [])
    if is_paused:
        return Health("paused", reason, withheld, open_alerts)
    if stored is None:
        return Health("not_connected", None, withheld, open_alerts)
    if stored == "needs_reconnect":
        return Health("needs_reconnect", reason, withheld, open_alerts)
    if withheld:
        return Health("degraded", f"{title} withholds {', '.join(map(str, withheld))}", withheld, open_alerts)
    return Health("connected" if has_succeeded else "never_synced", reason, (), open_alerts)


def _by_product(streams: list[list[str]]) -> tuple[WithheldProduct, ...]:
    products: dict[Product, list[tuple[str, str]]] = {}
    for name, _availability, reason in streams:
        if name in STREAMS:
            products.setdefault(STREAMS[name].product, []).append((name, reason or ""))
    return tuple(
        WithheldProduct(
            product.value,
            tuple(name for name, _ in found),
            is_whole={name for name, _ in found} >= {stream.name for stream in streams_of(product)},
            reason=found[0][1],
        )
        for product, found in products.items()
    )
