"""After every event of a long random history fields, conflicts and counts are those of an oracle of its own.

`make histories SEEDS=100 STEPS=200` runs more and longer ones.
"""

import os

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.review.conflict_policies import Policy
from openfaith_pipeline_tests.integration.conflicts.differing import differences
from openfaith_pipeline_tests.integration.conflicts.steps import Steps
from openfaith_pipeline_tests.integration.conflicts.world import ORGS
from openfaith_pipeline_tests.tenants import add_orgs

pytestmark = pytest.mark.slow

FIXED_SEEDS, FIXED_STEPS = (7, 8), 60
"""These histories are known to have every kind of event; of any others none can be required."""
SEEDS = range(1, int(os.environ["HISTORY_SEEDS"]) + 1) if "HISTORY_SEEDS" in os.environ else FIXED_SEEDS
STEPS = int(os.environ.get("HISTORY_STEPS", FIXED_STEPS))
SEEN = {"sync", "edit", "choose", "rollback refused", "rollback refuse"}
POLICIES = {("people", "*"): Policy.ASK, ("donations", "*"): Policy.NEWEST, ("groups", "name"): Policy.NEWEST}
POLICIES |= {("groups", "listed"): Policy.SOURCE, ("donations", "paymentMethod"): Policy.LOCAL}
JUDGED_ITEMS = {"ask", "newest"}
JUDGED = {("local", False), ("newest", True), ("newest", False), ("ask", False)}


@pytest.mark.timeout(max(300, STEPS * 10))
@pytest.mark.parametrize("seed", SEEDS)
def test_every_event_leads_where_the_rules_say(database: Database, seed: int) -> None:
    add_orgs(database, dict(zip(ORGS, ("Amber Hill", "Birch Lane"), strict=True)))
    with database.connect() as connection:
        history = Steps(database, connection, seed)
        for place, policy in POLICIES.items():
            history.set_policy("*", *place, policy)
        for org in ORGS:
            history.sync(org)
        assert differences(history) == []
        for number in range(1, STEPS + 1):
            events = history.step()
            assert differences(history) == [], f"step {number}: {', '.join(events)}"
    if seed in FIXED_SEEDS and STEPS >= FIXED_STEPS:
        assert_everything_was_seen(history)


def assert_everything_was_seen(history: Steps) -> None:
    assert history.seen.keys() >= SEEN
    assert history.seen["approve"] + history.seen["reject"] > 0
    assert history.oracle.judged >= JUDGED
    assert history.oracle.judged_items >= JUDGED_ITEMS
