"""Deletions that the product holds in everyday life: the church looks them up, and approves those that are true."""

from datetime import timedelta
from typing import Final

from openfaith_pipeline_tests.soak.incidents import Incident, Played
from openfaith_pipeline_tests.soak.life import ids_of
from openfaith_pipeline_tests.soak.world import World

MANY_ARE_GONE: Final = Incident(
    "much is deleted with a person", lambda *_: None, lambda *_: None, 0, (), ("deletes_held",)
)

_HELD: Final = """
SELECT id, org_id, stream, ids FROM sync.held_deletions WHERE decision IS NULL AND org_id <> ALL (%s) ORDER BY id
"""


def decide(world: World, troubled_orgs: list[str], step: timedelta) -> tuple[list[Played], list[str]]:
    """Deletions held of other orgs and approved now, and the wrong ones: of records that are still there."""
    played, wrong = [], []
    for number, org_id, stream, ids in world.rows(_HELD, [troubled_orgs]) or ():
        there = {str(each) for each in ids_of(world.simulator, org_id, stream)} & set(ids)
        if there:
            wrong.append(f"{len(there)} of {len(ids)} rows of {stream} of {org_id} that are held as gone are there")
            continue
        code, told = world.verb("deletes", "approve", str(number), "--yes")
        if code != 0:
            wrong.append(f"approval of {stream} of {org_id}: {told[-500:]}")
        now = world.clock.now()
        played.append(Played(MANY_ARE_GONE, org_id, now - step, 0, now))
    return played, wrong
