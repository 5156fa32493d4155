"""A decision on a held deletion whose process is killed leaves nothing half done, and no sync that runs for ever."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from threading import Event
from typing import Any, NoReturn
from unittest.mock import patch

import pytest

from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.errors import TransientError
from openfaith_pipeline.load import sync_leases, sync_log
from openfaith_pipeline.load.sync_leases import GONE, end_expired
from openfaith_pipeline.review.conflicts import Decision
from openfaith_pipeline.review.delete_guards import ANY, Guard, set_guard
from openfaith_pipeline.review.held_deletions import list_held
from openfaith_pipeline.settings import environment_with, load_settings
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync import deletion_approval
from openfaith_pipeline.sync.deletion_approval import approve_deletion
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.sync.review_decision import decide_items
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.forking import fork
from openfaith_pipeline_tests.integration.sync.church import connect, differences, stored, sync
from openfaith_pipeline_tests.rates import GENEROUS

LEASE = timedelta(seconds=1)
PEOPLE, EMAILS = STREAMS["people.people"], STREAMS["people.emails"]
APPROVAL = deletion_approval.__name__


async def hang_async(*_: Any, **__: Any) -> NoReturn:
    hang()


def hang(*_: Any, **__: Any) -> NoReturn:
    print("at work", flush=True)
    Event().wait()
    raise AssertionError


async def decided_and_hanging(*arguments: Any) -> None:
    await deletion_approval_decide(*arguments)
    hang()


deletion_approval_decide = deletion_approval.decide

MOMENTS: Mapping[str, tuple[Decision, str, Any, bool]] = {
    "approved: while the source is asked": (Decision.APPROVE, f"{APPROVAL}._confirm", hang_async, False),
    "approved: before the commit": (Decision.APPROVE, f"{APPROVAL}.decide", decided_and_hanging, False),
    "approved: after the commit": (Decision.APPROVE, f"{APPROVAL}.transform_org", hang, True),
    "rejected: before the commit": (Decision.REJECT, f"{APPROVAL}.decide", decided_and_hanging, False),
}
"""The decision, where it hangs, and whether it has been taken there."""


def _decide(moment: str, held_id: int) -> None:
    decision, name, instead, _ = MOMENTS[moment]
    shorten_leases()
    patch(name, instead).start()
    with open_database(load_settings()) as database:
        decide_items(database, [f"deletion-{held_id}"], decision, "a person")


def shorten_leases() -> None:
    sync_log.LEASE_TTL = sync_leases.LEASE_TTL = LEASE
    sync_leases.BEAT_SECONDS = LEASE.total_seconds() / 8


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=12), rate_limit=GENEROUS) as running:
        yield running


def hold_one(database: Database, simulator: SimulatorClient) -> tuple[str, str]:
    """A synced church with a held deletion of one e-mail address; the org and the id of the address."""
    [org_id] = connect(database, simulator)
    with database.connect() as connection:
        set_guard(connection, Guard(ANY, ANY, 0.0, 0))
    sync(database, org_id, [PEOPLE, EMAILS])
    transform(database, org_id)
    gone = next(iter(stored(database, org_id, EMAILS)))
    simulator.delete(org_id, EMAILS.name, [int(gone)])
    sync(database, org_id, [EMAILS], SyncMode.RECONCILE)
    return org_id, gone


def transform(database: Database, org_id: str) -> None:
    with database.connect() as connection:
        transform_org(connection, org_id, schema=database.settings.canonical_schema, sync_id="of the test")


def waiting(database: Database) -> list[int]:
    with database.connect() as connection:
        return [each.id for each in list_held(connection)]


def live_in_openfaith(database: Database, org_id: str) -> int:
    with database.connect() as connection:
        [(number,)] = connection.execute(
            'SELECT count(*) FROM openfaith_emails WHERE "orgId" = %s AND "deletedAt" IS NULL', (org_id,)
        ).fetchall()
    return int(number)


def decisions_recorded(database: Database) -> list[tuple[str, str | None]]:
    """How the syncs of decisions ended, once those with a lease that has run out were ended."""
    with database.connect() as connection:
        end_expired(connection)
        return connection.execute("SELECT status, error FROM sync.syncs WHERE mode = 'approval'").fetchall()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_decision_is_taken_whole_or_not_at_all(
    database: Database, simulator: SimulatorClient, environment: dict[str, str], moment: str
) -> None:
    org_id, gone = hold_one(database, simulator)
    [held_id], (decision, _, _, is_taken) = waiting(database), MOMENTS[moment]
    process = fork(_decide, moment, held_id, environment=environment_with(**environment))
    with closing(process.stdout) as said:
        while said.readline() != b"at work\n":
            assert process.poll() is None
        if decision is Decision.APPROVE:
            time.sleep(2 * LEASE.total_seconds())
            assert decisions_recorded(database) == [("running", None)], "its process lives, and keeps the lease"
        process.kill()
        process.wait(10)

    assert (gone in stored(database, org_id, EMAILS)) is not is_taken
    assert waiting(database) == ([] if is_taken else [held_id])
    time.sleep(LEASE.total_seconds() + 0.1)
    assert decisions_recorded(database) == ([("interrupted", GONE)] if decision is Decision.APPROVE else [])

    if not is_taken:  # it can be decided again
        decide_items(database, [f"deletion-{held_id}"], Decision.APPROVE, "a person")
    transform(database, org_id)  # of the org's next sync
    assert waiting(database) == []
    assert differences(database, simulator, org_id, [PEOPLE, EMAILS]) == []
    assert live_in_openfaith(database, org_id) == len(stored(database, org_id, EMAILS))


def test_an_approval_whose_transform_fails_says_so(
    database: Database, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_one(database, simulator)

    def failing(*_: Any, **__: Any) -> NoReturn:
        raise TransientError("for the test")

    monkeypatch.setattr(deletion_approval, "transform_org", failing)
    with pytest.raises(TransientError):
        asyncio.run(approve_deletion(database, waiting(database)[0], "a person"))
    assert decisions_recorded(database) == [("failed", "for the test")]
