"""The troubles of a church's month, each with the alerts that it has to raise."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.simulator import Faults, Script, Traps, Webhooks
from openfaith_pipeline_tests.soak.life import ids_of
from openfaith_pipeline_tests.soak.world import World

_SUBSCRIPTIONS: Final = "webhooks.webhook_subscriptions"
_SWEEP: Final = "pco incremental sweep"
_TOLD: Final = """
SELECT count(*) FROM sync.alerts WHERE kind = 'run_failed' AND incident = %s AND delivered_at IS NOT NULL
"""
_USUAL_WEBHOOKS: Final = Webhooks(retry_seconds=(2.0, 5.0, 10.0, 30.0))
_BAD_WEBHOOKS: Final = Webhooks(
    retry_seconds=(2.0, 5.0, 10.0, 30.0), jitter_seconds=3, duplicates=0.3, lost=0.3, forged=0.1
)


@dataclass(frozen=True)
class Expected:
    """An alert: its kind, its org, and its incident where the org may have several alerts of the kind."""

    kind: str
    org_id: str | None
    incident: str = ""


@dataclass(frozen=True)
class Incident:
    """begin, end: each gets the world and the org concerned. steps: how long it lasts; 0 where nothing can go on before
    it is over, which it is within its step.

    kinds: of alerts that it has to raise, once each: for every org where `is_of_all`. told_as: their incident, where
    there are several of the kind. allowed: kinds that it may raise. is_noticed: its steps last until this holds,
    because runs go on as long as it does.
    """

    name: str
    begin: Callable[[World, str], None]
    end: Callable[[World, str], None]
    steps: int = 1
    kinds: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    told_as: str = ""
    is_of_all: bool = False
    is_possible: Callable[[World], bool] = lambda _: True
    is_noticed: Callable[[World], bool] | None = None


@dataclass
class Played:
    """An incident as it happened. wrong: what did not go as it should at its beginning and its end."""

    incident: Incident
    org_id: str
    began_at: datetime
    steps_left: int
    ended_at: datetime | None = None
    expected: Sequence[Expected] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def act(self, act: Callable[[World, str], None], world: World) -> None:
        """A failure is written down: weeks of other findings would go with it."""
        try:
            act(world, self.org_id)
        except AssertionError as error:
            self.wrong.append(f"{self.incident.name}: {act.__name__.strip('_')} failed: {error}")


def begin(world: World, incident: Incident) -> Played:
    org_id = world.chance.choice(world.org_ids)
    played = Played(incident, org_id, world.clock.now(), incident.steps)
    orgs = world.org_ids if incident.is_of_all else [org_id]
    played.expected = [Expected(kind, org, incident.told_as) for kind in incident.kinds for org in orgs]
    played.act(incident.begin, world)
    return played


def end(world: World, played: Played) -> None:
    played.act(played.incident.end, world)
    played.ended_at = world.clock.now()


def calm(world: World, _: str) -> None:
    """The source as it usually is."""
    world.simulator.clear_scripts()
    world.simulator.set_faults(Faults())
    world.simulator.set_webhooks(_USUAL_WEBHOOKS)


def _outage(world: World, _: str) -> None:
    world.simulator.set_faults(Faults(bad_gateway=1.0))


def _all_sweeps_are_told(world: World) -> bool:
    return world.rows(_TOLD, [_SWEEP]) == [(len(world.org_ids),)]


def _some_faults(world: World, _: str) -> None:
    world.simulator.set_faults(Faults.evenly(0.1, seed=world.chance.randrange(1000), slow_ms=100))


def _token_dies(world: World, org_id: str) -> None:
    world.simulator.script(Script("unauthorized", org=org_id, times=None))


def _reconnect(world: World, org_id: str) -> None:
    world.simulator.clear_scripts()
    world.connect(next(church for church in world.churches if church.org_id == org_id))


def _lose_product(world: World, org_id: str) -> None:
    world.simulator.grant(org_id, [product.value for product in Product if product.value != "giving"])


def _regain_product(world: World, org_id: str) -> None:
    world.simulator.grant(org_id, [product.value for product in Product])


def _delete_many(world: World, org_id: str) -> None:
    """More than a guard lets through: most of the church's donations, which are few here.

    No webhook tells of them one by one, for then they would be deleted one by one.
    """
    world.simulator.set_webhooks(replace(_USUAL_WEBHOOKS, lost=1.0))
    guard = ("--org", org_id, "--stream", "giving.donations", "--share", "0.3", "--number", "5")
    code, told = world.verb("deletes", "guard", *guard)
    assert code == 0, told
    ids = ids_of(world.simulator, org_id, "giving.donations")
    world.simulator.delete(org_id, "giving.donations", ids[: len(ids) * 3 // 4])
    code, told = world.verb("sync", org_id, "--stream", "giving.donations", "--mode", "reconcile", "--if-busy", "wait")
    calm(world, org_id)
    assert code == 1, told
    assert _held(world, org_id), f"nothing is held: {told}"


def _approve(world: World, org_id: str) -> None:
    for held in _held(world, org_id):
        code, told = world.verb("deletes", "approve", str(held["id"]), "--yes")
        assert code == 0, told


def _held(world: World, org_id: str) -> list[dict[str, Any]]:
    code, told = world.verb("deletes", "list", "--json")
    assert code == 0, told
    return [held for held in json.loads(told) if held["org_id"] == org_id]


def _bad_webhooks(world: World, _: str) -> None:
    world.simulator.set_webhooks(_BAD_WEBHOOKS)


def _switch_off_webhooks(world: World, org_id: str) -> None:
    world.simulator.edit(org_id, _SUBSCRIPTIONS, "all", attributes={"active": False}, is_quiet=True)


def _odd_times(world: World, org_id: str) -> None:
    """Records that are listed late, one of the future, and one that was changed long ago."""
    streams = ("people.people", "people.emails")
    world.simulator.set_traps(org_id, Traps(late_records=dict.fromkeys(streams, 4)))
    world.simulator.edit(org_id, "people.people", attributes={"updated_at": "2099-01-01T00:00:00Z"}, is_quiet=True)
    world.simulator.edit(org_id, "people.people", attributes={"updated_at": "2001-01-01T00:00:00Z"}, is_quiet=True)
    world.simulator.add(org_id, "people.emails", count=4)


def _usual_times(world: World, org_id: str) -> None:
    world.simulator.set_traps(org_id, Traps())


def _fill_disk(world: World, _: str) -> None:
    world.disk.fill()


def _free_disk(world: World, _: str) -> None:
    world.disk.free()


def _restart_postgres(world: World, _: str) -> None:
    """A fast shutdown, as when its package is upgraded; whatever looks after it starts it again."""
    world.kill("postgres", 2)


def _crash_postgres(world: World, _: str) -> None:
    world.kill("postgres")


def _nothing(_: World, __: str) -> None:
    """It is over by itself."""


INCIDENTS: Final = (
    Incident("a token dies, and is replaced", _token_dies, _reconnect, 2, ("connection_dead",)),
    Incident("a product is withheld, and given back", _lose_product, _regain_product, 4),
    Incident(
        "most donations are deleted",
        _delete_many,
        _approve,
        2,
        ("deletes_held",),
        ("deletes_held",),  # of the designations too
        told_as="giving.donations",
    ),
    Incident("webhooks are dropped, doubled, forged and late", _bad_webhooks, calm, 4),
    Incident("records with times of the future and the past, others listed late", _odd_times, _usual_times, 2),
    Incident("Postgres is restarted", _restart_postgres, _nothing),
    Incident("webhooks are switched off by Planning Center", _switch_off_webhooks, _nothing, 2, ("webhooks_disabled",)),
    Incident("one request in ten fails", _some_faults, calm, 2),
    Incident("the disk is full", _fill_disk, _free_disk, 0, (), ("run_failed",), is_possible=lambda w: w.disk.is_small),
    Incident("Postgres is killed", _crash_postgres, _nothing),
    Incident(
        "Planning Center is down",
        _outage,
        calm,
        1,
        ("run_failed",),
        ("run_failed", "freshness_missed"),
        told_as=_SWEEP,
        is_of_all=True,
        is_noticed=_all_sweeps_are_told,
    ),
)
