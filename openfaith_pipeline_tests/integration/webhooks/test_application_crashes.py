"""An applier that is killed between any two of its steps."""

import signal

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.load.sync_leases import end_expired
from openfaith_pipeline.settings import environment_with
from openfaith_pipeline.simulator import SimulatorClient
from openfaith_pipeline_tests.conftest import environment_of
from openfaith_pipeline_tests.forking import fork_program
from openfaith_pipeline_tests.integration.webhooks.application import (
    EMAILS,
    PEOPLE,
    apply_all,
    arrived,
    carry_out_requests,
    make_due,
    outcomes,
    told_differences,
)

STEPS = (*("claimed", "payloads published", "transformed", "settling not committed", "answers published", "settled"),)
DYING_APPLIERS = """
import asyncio, os, signal, sys
from datetime import timedelta
from psycopg.rows import dict_row
from openfaith_pipeline.webhooks import applier as applying
from openfaith_pipeline.webhooks import open_deliveries
from openfaith_pipeline.database import open_database
from openfaith_pipeline.load import sync_leases, sync_log
from openfaith_pipeline.load.leases import holding
from openfaith_pipeline.settings import load_settings

sync_log.LEASE_TTL = sync_leases.LEASE_TTL = timedelta(0)

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def dying_after(do, times=1):
    left = [times]
    async def dying(*arguments, **named):
        await do(*arguments, **named)
        left[0] -= 1
        if not left[0]:
            die()
    return dying

def dying_transform(batch):
    transform(batch)
    die()

async def run(database):
    async with database.pool(size=3, row_factory=dict_row) as pool, holding(pool) as holder:
        while await applying.apply_next(database, pool, holder):
            pass

batch, transform = applying._Batch, applying._Batch._transform_now
steps = {
    "claimed": (applying, "keeping_claim", die),
    "payloads published": (batch, "_publish", dying_after(batch._publish)),
    "transformed": (batch, "_transform_now", dying_transform),
    "settling not committed": (open_deliveries, "settle", dying_after(open_deliveries.settle)),
    "answers published": (batch, "_publish", dying_after(batch._publish, 3)),
    "settled": (batch, "_finish", die),
}
with open_database(load_settings()) as database:
    for step, (place, name, dying) in steps.items():
        if os.fork() == 0:
            setattr(place, name, dying)
            asyncio.run(run(database))
            os._exit(0)
        print(step, os.wait()[1], flush=True)
"""


@pytest.mark.slow
def test_killed_between_any_two_steps_of_applying_nothing_is_lost_and_nothing_doubled(
    service: Database, simulator: SimulatorClient, org: str
) -> None:
    for _ in range(3):
        simulator.edit(org, "people.people", count=8)
        simulator.add(org, "people.emails", count=3)
    arrived(service, simulator)
    appliers = fork_program(DYING_APPLIERS, environment=environment_with(**environment_of(service.settings)))
    ended = [line.rsplit(maxsplit=1) for line in appliers.finish(120).decode().splitlines()]
    assert appliers.poll() == 0
    assert {step: int(status) for step, status in ended} == dict.fromkeys(STEPS, signal.SIGKILL)
    with service.connect() as connection:
        assert end_expired(connection) == len(STEPS) - 1, "each but the one that was killed before it began a sync"
    apply_all(service)
    make_due(service)  # deliveries of the killed applier may have met a lease that had not expired
    apply_all(service)
    carry_out_requests(service, org)
    assert set(outcomes(service)) <= {"applied", "superseded", "requested"}
    assert told_differences(service, simulator, org, [PEOPLE, EMAILS]) == []
    with service.connect() as connection:
        transformed = connection.execute('SELECT count(*) FROM openfaith_emails WHERE "orgId" = %s', (org,)).fetchone()
        doubled = connection.execute(
            "SELECT table_name, row_key FROM sync.journal WHERE org_id = %s"
            " GROUP BY table_name, row_key, action, after::text HAVING count(*) > 1",
            (org,),
        ).fetchall()
    assert transformed == (len(simulator.truth(org, "people.emails")),)
    assert doubled == []
