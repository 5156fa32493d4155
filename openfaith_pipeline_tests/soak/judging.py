"""Whether the alerts were right: each incident's once, each sent once, and none without an incident."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from openfaith_pipeline_tests.soak.incidents import Expected, Played
from openfaith_pipeline_tests.soak.world import World

_AFTERWARDS: Final = timedelta(hours=30)  # two steps, and some time to notice
_ALERTS: Final = """
SELECT id, kind, org_id, incident, message, first_seen_at, resolved_at, delivered_at FROM sync.alerts ORDER BY id
"""


@dataclass(frozen=True)
class Row:
    """An alert as the product keeps it."""

    id: int
    kind: str
    org_id: str | None
    incident: str
    message: str
    first_seen_at: datetime
    resolved_at: datetime | None
    delivered_at: datetime | None

    def __str__(self) -> str:
        at = f"{self.first_seen_at:%m-%d %H:%M}"
        return f"{self.kind} of {self.org_id or 'no org'} {self.incident} at {at}: {self.message[:160]}"


def alerts_of(world: World) -> list[Row]:
    return [Row(*row) for row in world.rows(_ALERTS) or ()]


def wrong_alerts(world: World, history: Sequence[Played]) -> list[str]:
    """Alerts that were missed, raised twice, false, still open, or not sent exactly once."""
    rows = alerts_of(world)
    wrong: list[str] = []
    accounted: set[int] = set()
    for played in history:
        during = [row for row in rows if _is_during(row, played)]
        for expected in played.expected:
            found = [row for row in during if _is_of(row, expected)]
            if len(found) != 1:
                wrong.append(f"{played.incident.name}: {len(found)} alerts {expected.kind} of {expected.org_id}, not 1")
            accounted |= {row.id for row in found}
        accounted |= {row.id for row in during if row.kind in played.incident.allowed}
    wrong += [f"an alert without an incident: {row}" for row in rows if row.id not in accounted]
    wrong += [f"an alert that is still open: {row}" for row in rows if row.resolved_at is None]
    return wrong + _wrongly_sent(world, rows)


def _is_of(row: Row, expected: Expected) -> bool:
    is_same = (row.kind, row.org_id) == (expected.kind, expected.org_id)
    return is_same and expected.incident in ("", row.incident)


def _is_during(row: Row, played: Played) -> bool:
    over = (played.ended_at or row.first_seen_at) + _AFTERWARDS
    return played.began_at <= row.first_seen_at <= over


def _wrongly_sent(world: World, rows: Sequence[Row]) -> list[str]:
    """By kind and org: as many messages as alerts that were sent."""
    sent = Counter(f"{row.kind} {row.org_id or ''}" for row in rows if row.delivered_at)
    arrived: Counter[str] = Counter()
    for _, text in world.inbox.messages:
        subject = text.partition("\n")[0]
        for kind in {row.kind for row in rows}:
            if f": {kind.replace('_', ' ')}" in subject:
                arrived[f"{kind} {next((org for org in world.org_ids if org in subject), '')}"] += 1
    names = sorted({*sent, *arrived})
    return [f"{arrived[name]} messages of {sent[name]} alerts {name}" for name in names if arrived[name] != sent[name]]
