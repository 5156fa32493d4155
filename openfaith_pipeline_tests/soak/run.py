"""The days, one after another: life, incidents, kills, and time that passes; then the proof."""

import json
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from openfaith_pipeline_tests.soak.holds import decide
from openfaith_pipeline_tests.soak.incidents import INCIDENTS, Incident, Played, begin, calm, end
from openfaith_pipeline_tests.soak.judging import Row, alerts_of, wrong_alerts
from openfaith_pipeline_tests.soak.life import live
from openfaith_pipeline_tests.soak.measures import Growth, growths, measure
from openfaith_pipeline_tests.soak.world import World
from openfaith_pipeline_tests.waiting import wait_until

STEPS: Final = 2
STEP_SECONDS: Final = 86_400 // STEPS
_SETTLE_SECONDS: Final = 900
_NOTICE_SECONDS: Final = 1800
_FIRST_SECONDS: Final = 900
_VICTIMS: Final = ("run", "daemon", "service", "applier", "webserver", "code server", "postgres")
_KILL_SHARE: Final = 0.2
_BRIEF_SECONDS: Final = 45

_TURNS: Final = """
SELECT count(*) FROM sync.org_schedules
 WHERE kind = 'incremental' AND attempted_at >= %s AND (lease_expires_at IS NULL OR lease_expires_at < now())
"""
_RUNS: Final = """
SELECT count(*) FROM dagster.runs WHERE status IN ('QUEUED', 'NOT_STARTED', 'STARTING', 'STARTED', 'CANCELING')
"""
_FAILED: Final = "SELECT org_id, left(error, 100) FROM sync.org_schedules WHERE failures > 0"
_LEFT: Final = """
SELECT 'lease of ' || stream FROM sync.stream_states WHERE lease_expires_at > now()
UNION ALL SELECT 'running sync of ' || stream FROM sync.stream_syncs WHERE status = 'running'
UNION ALL SELECT 'delivery that was not applied' FROM sync.webhook_deliveries WHERE status = 'pending'
"""


@dataclass
class Outcome:
    """The result."""

    days: int
    seed_words: str = ""
    changes: int = 0
    seconds: float = 0
    history: list[Played] = field(default_factory=list)
    figures: list[dict[str, float]] = field(default_factory=list)
    alerts: list[Row] = field(default_factory=list)
    messages: int = 0
    kills: dict[str, int] = field(default_factory=dict)
    proofs: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def growths(self) -> list[Growth]:
        return growths(self.figures)


def soak(world: World, days: int, seconds: float, minutes: float, only: str = "") -> Outcome:
    """Let the days pass and prove the end.

    minutes: after which no further day begins. only: part of the names of the incidents to play.
    """
    outcome = Outcome(0)
    began_at = time.monotonic()
    plan = _plan(world, days, only, outcome)
    calm(world, "")
    wait_until(lambda: _are_settled(world, None), "the first sync of every church", _FIRST_SECONDS, every_seconds=1)
    for day in range(1, days + 1):
        if time.monotonic() - began_at > minutes * 60:
            break
        outcome.days = day
        day_began_at = time.monotonic()
        for step in range(STEPS):
            _play_step(world, outcome, plan.get((day, step)), f"day {day}, step {step + 1}")
        outcome.figures.append(measure(world))
        _say(world, day, outcome, time.monotonic() - day_began_at)
        time.sleep(max(0.0, seconds - (time.monotonic() - day_began_at)))
    begun = {each.incident.name for each in outcome.history}
    outcome.skipped += [f"{each.name}: its day did not come" for each in plan.values() if each.name not in begun]
    _conclude(world, outcome)
    outcome.seconds = time.monotonic() - began_at
    return outcome


def _plan(world: World, days: int, only: str, outcome: Outcome) -> dict[tuple[int, int], Incident]:
    """Each incident once, each in days of its own; the order is the seed's. Those that do not fit are named."""
    wanted = [each for each in INCIDENTS if only in each.name]
    possible = [each for each in wanted if each.is_possible(world)]
    outcome.skipped = [f"{each.name}: not possible here" for each in wanted if each not in possible]
    world.chance.shuffle(possible)
    plan: dict[tuple[int, int], Incident] = {}
    pause = max(1, (days - 2) * STEPS // max(1, len(possible)))
    for number, incident in enumerate(possible):
        step = STEPS + number * pause
        if step + incident.steps > (days - 1) * STEPS:
            outcome.skipped.append(f"{incident.name}: no room within {days} days")
            continue
        plan[step // STEPS + 1, step % STEPS] = incident
    return plan


def _play_step(world: World, outcome: Outcome, incident: Incident | None, name: str) -> None:
    """Some hours: planned incidents begin, the churches live, time passes, and the product keeps up."""
    for played in [each for each in outcome.history if each.ended_at is None]:
        played.steps_left -= 1
        if played.steps_left <= 0:
            end(world, played)
    if incident:
        outcome.history.append(begin(world, incident))
        print("; ".join([f"{name}: {incident.name}", *outcome.history[-1].wrong]), flush=True)
    outcome.changes += live(world)
    passed_at = _pass_time(world)
    if incident and not incident.steps:
        time.sleep(_BRIEF_SECONDS)
        end(world, outcome.history[-1])
    if world.chance.random() < _KILL_SHARE and not _is_troubled(outcome):
        time.sleep(world.chance.random() * 8)
        world.kill(world.chance.choice(_VICTIMS))
    _settle(world, outcome, passed_at, name)
    _decide(world, outcome)


def _decide(world: World, outcome: Outcome) -> None:
    """Records that an incident of its own has deleted wait for the end of that."""
    troubled = [each.org_id for each in outcome.history if each.ended_at is None and each.expected]
    played, wrong = decide(world, troubled, timedelta(seconds=STEP_SECONDS))
    outcome.history += played
    outcome.wrong += wrong


def _is_troubled(outcome: Outcome) -> bool:
    """Whether an incident has alerts of its own to be judged by, which a kill would blur."""
    return any(each.ended_at is None and (each.expected or each.incident.allowed) for each in outcome.history)


def _pass_time(world: World) -> datetime:
    """Set the clock forward, at which Dagster's daemon looks at its schedules (`clock.c`)."""
    world.clock.advance(STEP_SECONDS)
    now = world.clock.now()
    for (theirs,) in world.rows("SELECT now()") or ():
        assert abs(theirs - now) < timedelta(minutes=1), "Postgres does not go by the clock"
    return now


def _settle(world: World, outcome: Outcome, since: datetime, name: str) -> None:
    last = outcome.history[-1] if outcome.history else None
    is_noticed = last.incident.is_noticed if last and last.ended_at is None else None
    is_over = partial(is_noticed, world) if is_noticed else partial(_are_settled, world, since)
    seconds = _NOTICE_SECONDS if is_noticed else _SETTLE_SECONDS
    try:
        wait_until(is_over, name, seconds, every_seconds=1)
    except AssertionError:
        # The next step would find it in the middle of its work, so this is no mere slowness.
        outcome.wrong.append(f"{name}: not caught up within {seconds} s; failing: {world.rows(_FAILED)}")


def _are_settled(world: World, since: datetime | None) -> bool:
    rows = world.rows(_TURNS, [since or datetime.fromtimestamp(0).astimezone()])
    if not rows or rows[0][0] < len(world.org_ids):
        return False
    return world.rows(_RUNS) == [(0,)]


def _say(world: World, day: int, outcome: Outcome, seconds: float) -> None:
    alerts = len(world.inbox.messages)
    print(
        f"day {day} ({world.clock.now():%Y-%m-%d}): {outcome.changes} changes, {alerts} alerts, {seconds:.0f} s",
        flush=True,
    )


def _conclude(world: World, outcome: Outcome) -> None:
    """All troubles over, some quiet hours, and then the proof that everything is as it must be."""
    for played in [each for each in outcome.history if each.ended_at is None]:
        end(world, played)
    calm(world, "")
    for step in range(STEPS):
        _settle(world, outcome, _pass_time(world), f"quiet step {step + 1}")
        _decide(world, outcome)
    for org_id in world.org_ids:
        outcome.proofs[org_id] = _proof(world, org_id, outcome.wrong)
    _wait_for_alerts(world)
    outcome.wrong += [f"left over: {row[0]}" for row in world.rows(_LEFT) or ()]
    outcome.wrong += [wrong for played in outcome.history for wrong in played.wrong]
    outcome.wrong += wrong_alerts(world, outcome.history)
    outcome.wrong += [
        f"{each.name} grew from {each.middle:.0f} to {each.last:.0f} {each.unit}"
        for each in outcome.growths
        if each.is_too_much
    ]
    outcome.alerts, outcome.messages, outcome.kills = alerts_of(world), len(world.inbox.messages), world.kills


def _wait_for_alerts(world: World) -> None:
    """The sensor that closes alerts looks every thirty seconds."""
    deadline = time.monotonic() + 90
    while any(row.resolved_at is None for row in alerts_of(world)) and time.monotonic() < deadline:
        time.sleep(2)


def _proof(world: World, org_id: str, wrong: list[str]) -> str:
    synced, told = world.verb("sync", org_id, "--mode", "reconcile", "--if-busy", "wait")
    if synced != 0:
        wrong.append(f"the last sync of {org_id}: {told[-500:]}")
    code, told = world.verb("verify", org_id, "--full", "--json")
    try:
        report: dict[str, Any] = json.loads(told)
    except ValueError:
        report = {"status": f"exit code {code}: {told[-500:]}"}
    if code != 0 or report.get("status") != "equal":
        wrong.append(f"verify of {org_id}: {_short(report)}")
    return str(report.get("status"))


def _short(report: dict[str, Any]) -> str:
    parts = {**report.get("streams", {}), **report.get("canonical", {})}
    differing = {name: part for name, part in parts.items() if part.get("status") != "equal"}
    return json.dumps({"status": report.get("status"), "parts": differing}, default=str)[:3000]
