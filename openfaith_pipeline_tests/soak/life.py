"""Everyday life of a church: people join, change, merge and leave; groups and gifts with them."""

from typing import Final

from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline_tests.soak.world import World

_CHANGED: Final = (
    "people.people",
    "people.emails",
    "people.phone_numbers",
    "people.addresses",
    "people.households",
    "giving.donations",
    "groups.groups",
    "groups.memberships",
)
_ACTIONS: Final = {"edit": 5, "quiet": 1, "add": 4, "delete": 2, "merge": 1}
_FEWEST: Final = 8
_CHANGES: Final = 6


def live(world: World) -> int:
    """Some hours of all churches; the number of changes."""
    for org_id in world.org_ids:
        for _ in range(_CHANGES):
            _change(world, org_id)
    return _CHANGES * len(world.org_ids)


def _change(world: World, org_id: str) -> None:
    stream = world.chance.choice(_CHANGED)
    [action] = world.chance.choices(list(_ACTIONS), list(_ACTIONS.values()))
    if action == "add":
        world.simulator.add(org_id, stream, count=world.chance.randrange(1, 3))
        return
    ids = ids_of(world.simulator, org_id, "people.people" if action == "merge" else stream)
    if action == "merge" and len(ids) > _FEWEST:
        world.simulator.add(org_id, "people.people")  # twice by mistake: so a church does not shrink by merging
        world.simulator.merge(org_id, "people.people")
    elif action == "delete" and len(ids) > _FEWEST:
        world.simulator.delete(org_id, stream, [world.chance.choice(ids)])
    elif ids:
        world.simulator.edit(org_id, stream, count=2, is_quiet=action == "quiet")


def ids_of(simulator: SimulatorClient, org_id: str, stream: str) -> list[int]:
    return [int(record["id"]) for record in simulator.truth(org_id, stream)]
