"""A soak's verdicts: alerts that are missed, doubled, false, open or sent twice, and figures that grow."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from openfaith_pipeline_tests.soak.inbox import Inbox
from openfaith_pipeline_tests.soak.incidents import Expected, Incident, Played
from openfaith_pipeline_tests.soak.judging import wrong_alerts
from openfaith_pipeline_tests.soak.measures import Growth

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TEXT = "*OpenFaith Pipeline: connection dead: Cedar Hollow Chapel (org_a)*\nno more"


@dataclass
class World:
    """As much of a world as is judged."""

    found: list[tuple[Any, ...]]
    inbox: Inbox = field(default_factory=Inbox)
    org_ids: tuple[str, ...] = ("org_a", "org_b")

    def rows(self, _: str) -> list[tuple[Any, ...]]:
        return self.found


def alert(number: int = 1, kind: str = "connection_dead", org: str = "org_a", at: datetime = NOON) -> tuple[Any, ...]:
    return (number, kind, org, "", "it is dead", at, at + HOUR, at + HOUR)


def death() -> Played:
    incident = Incident("a token dies", lambda *_: None, lambda *_: None)
    expected = [Expected("connection_dead", "org_a")]
    return Played(incident, "org_a", NOON - HOUR, 0, NOON + HOUR, expected)


def judged(found: list[tuple[Any, ...]], *texts: str, history: list[Played] | None = None) -> list[str]:
    world: Any = World(found, Inbox(0, [(NOON, text) for text in texts]))
    return wrong_alerts(world, [death()] if history is None else history)


def test_the_alert_of_an_incident_is_right() -> None:
    assert judged([alert()], TEXT) == []


def test_a_missed_alert_is_wrong() -> None:
    assert judged([]) == ["a token dies: 0 alerts connection_dead of org_a, not 1"]


def test_a_second_alert_of_one_incident_is_wrong() -> None:
    [wrong] = judged([alert(1), alert(2)], TEXT, TEXT)
    assert wrong.startswith("a token dies: 2 alerts")


def test_an_alert_without_an_incident_is_wrong() -> None:
    [wrong] = judged([alert()], TEXT, history=[])
    assert wrong.startswith("an alert without an incident: connection_dead of org_a")


def test_an_alert_long_after_the_incident_is_none_of_it() -> None:
    late = judged([alert(at=NOON + timedelta(days=2))], TEXT)
    assert [each.split(":")[0] for each in late] == ["a token dies", "an alert without an incident"]


def test_an_alert_that_stays_open_is_wrong() -> None:
    open_one = (*alert()[:6], None, NOON)
    assert [each.split(":")[0] for each in judged([open_one], TEXT)] == ["an alert that is still open"]


def test_a_message_that_is_sent_twice_is_wrong() -> None:
    assert judged([alert()], TEXT, TEXT) == ["2 messages of 1 alerts connection_dead org_a"]


def test_a_figure_that_goes_on_growing_is_too_much() -> None:
    assert Growth("RSS of service", "MB", [100 + 20 * day for day in range(30)], 24).is_too_much
    assert not Growth("RSS of service", "MB", [100, 180, *[200] * 28], 24).is_too_much
    assert not Growth("tables of journal", "MB", [*range(8), 0, *range(8), 0, *range(8), 0], 6).is_too_much
