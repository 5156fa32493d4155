"""Out of quarantine: after a fix the kept records are published as if they had been read today, newer ones aside."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from openfaith_pipeline.catalog.stream import ColumnType
from openfaith_pipeline.database import Database
from openfaith_pipeline.load import rows, values
from openfaith_pipeline.load.staging import encoder_of
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync
from openfaith_pipeline.planning_center.streams import people
from openfaith_pipeline.review.quarantine import Quarantined, list_quarantined
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sync.quarantine_replay import Replayed, replay
from openfaith_pipeline.text import exact_json
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.integration.sync.church import connect, row_versions, statuses, stored, sync
from openfaith_pipeline_tests.rates import GENEROUS

STREAMS = (people.EMAILS, people.HOUSEHOLDS, people.HOUSEHOLD_MEMBERSHIPS, people.TABS)


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=12), rate_limit=GENEROUS) as running:
        yield running


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Makes this the next version: it takes moments written with slashes, and objects as texts."""

    def moment(value: Any) -> str:
        return str(value).replace("/", "-")

    def fix() -> None:
        later: Mapping[ColumnType, Any] = {
            **rows.ENCODERS,
            ColumnType.TIMESTAMP: moment,
            ColumnType.TEXT: lambda value: values.encode_text(
                value if isinstance(value, str) else exact_json.write(value)
            ),
        }
        monkeypatch.setattr(rows, "ENCODERS", later)
        encoder_of.cache_clear()

    yield fix
    encoder_of.cache_clear()


def entries(database: Database, *, with_resolved: bool = False) -> list[Quarantined]:
    with database.connect() as connection:
        return list_quarantined(connection, with_resolved=with_resolved)


def replayed(database: Database, sync_id: str = "replay") -> dict[str, Replayed]:
    with database.connect() as connection:
        begin_sync(connection, SyncStart(sync_id, None, "replay", "test", {}))
    results = asyncio.run(replay(database, entries(database), sync_id=sync_id))
    return {result.stream: result for result in results}


def test_after_a_fix_the_values_are_where_they_belong(
    database: Database, simulator: SimulatorClient, fixed: Callable[[], None]
) -> None:
    [org_id] = connect(database, simulator)
    [email] = simulator.edit(org_id, "people.emails", attributes={"created_at": "2024/02/03T04:05:06Z"})
    [member] = simulator.edit(org_id, "people.household_memberships", attributes={"person_name": {"first": "Ann"}})
    simulator.inject(org_id, "people.tabs", {"type": "Tab", "id": None, "attributes": {}})
    sync(database, org_id, STREAMS)
    with database.connect() as connection:
        transform_org(connection, org_id, schema="public", sync_id="sync")
    assert {entry.field for entry in entries(database)} == {"created_at", "person_name", None}
    before, found = row_versions(database, STREAMS), entries(database)

    unfixed = replayed(database)
    assert {(each.left, each.settled, each.published) for each in unfixed.values()} == {(1, 0, 0)}
    assert row_versions(database, STREAMS) == before
    assert entries(database) == found

    requests = simulator.stats()["requests"]
    fixed()
    mended = replayed(database, "replay_fixed")
    assert {name: (each.settled, each.left, each.published, each.error) for name, each in mended.items()} == {
        "people.emails": (1, 0, 1, None),
        "people.household_memberships": (1, 0, 1, None),
        "people.tabs": (0, 1, 0, None),
    }
    assert simulator.stats()["requests"] == requests
    assert stored(database, org_id, people.EMAILS)[str(email)]["created_at"].year == 2024
    membership = stored(database, org_id, people.HOUSEHOLD_MEMBERSHIPS)[str(member)]
    assert membership["person_name"] == '{"first":"Ann"}'
    assert membership["household_id"] is not None, "the parent it was listed under is kept with it"
    [left] = entries(database)
    assert (left.stream, left.field) == ("people.tabs", None)
    with database.connect() as connection:
        [(year,)] = connection.execute(
            'SELECT extract(year FROM email."createdAt") FROM "openfaith_emails" email'
            ' JOIN "openfaith_externalLinks" link ON link."entityId" = email.id WHERE link."externalId" = %s',
            [str(email)],
        ).fetchall()
        [(causes,)] = connection.execute(
            "SELECT array_agg(DISTINCT cause) FROM sync.journal"
            " WHERE sync_id = 'replay_fixed' AND table_name LIKE 'pco%'"
        ).fetchall()
    assert (year, causes) == (2024, ["replay"])

    again = row_versions(database, STREAMS)
    assert replayed(database, "again")["people.tabs"].left == 1
    assert row_versions(database, STREAMS) == again
    assert statuses(sync(database, org_id, STREAMS)) == {}


@pytest.mark.parametrize("since", ["_deleted_at = now()", "location = 'newer'"])
def test_a_record_read_or_deleted_since_is_not_overwritten(
    database: Database, simulator: SimulatorClient, fixed: Callable[[], None], since: str
) -> None:
    [org_id] = connect(database, simulator)
    simulator.edit(org_id, "people.emails", attributes={"created_at": "2024/02/03T04:05:06Z"})
    sync(database, org_id, [people.EMAILS])
    with database.connect() as connection:
        connection.execute(
            f"UPDATE pco_people.emails SET {since}, _synced_at = now(), _sync_id = 'webhook_1'".encode()  # noqa: S608
        )
    before = row_versions(database, [people.EMAILS])
    fixed()
    result = replayed(database)["people.emails"]
    assert (result.overtaken, result.settled, result.published) == (1, 0, 0)
    assert row_versions(database, [people.EMAILS]) == before
    assert entries(database) == []


def test_one_of_two_values_mended_leaves_the_other(
    database: Database, simulator: SimulatorClient, fixed: Callable[[], None]
) -> None:
    [org_id] = connect(database, simulator)
    wrong = {"created_at": "2024/02/03T04:05:06Z", "blocked": "perhaps"}
    [email] = simulator.edit(org_id, "people.emails", attributes=wrong)
    sync(database, org_id, [people.EMAILS])
    fixed()
    result = replayed(database)["people.emails"]
    assert (result.settled, result.left, result.published) == (1, 1, 1)
    [left] = entries(database)
    assert (left.field, left.record_id) == ("blocked", str(email))
    assert len(entries(database, with_resolved=True)) == 3


def test_a_sync_under_way_is_left_to_itself(database: Database, simulator: SimulatorClient) -> None:
    [org_id] = connect(database, simulator)
    simulator.edit(org_id, "people.emails", attributes={"created_at": "2024/02/03T04:05:06Z"})
    sync(database, org_id, [people.EMAILS])
    with database.connect() as connection:
        connection.execute("UPDATE sync.stream_states SET holder = 'elsewhere:1:a', lease_expires_at = now() + '1 min'")
    # Nothing would be published, so the held lease does not matter; otherwise the replay waits for it.
    assert replayed(database)["people.emails"].left == 1
    with database.connect() as connection:
        connection.execute("UPDATE sync.stream_syncs SET status = 'failed'")
    assert (replayed(database, "other")["people.emails"].waiting, len(entries(database))) == (1, 1)


def test_a_held_stream_is_reported_busy(
    database: Database, simulator: SimulatorClient, fixed: Callable[[], None]
) -> None:
    [org_id] = connect(database, simulator)
    simulator.edit(org_id, "people.emails", attributes={"created_at": "2024/02/03T04:05:06Z"})
    sync(database, org_id, [people.EMAILS])
    with database.connect() as connection:
        connection.execute("UPDATE sync.stream_states SET holder = 'elsewhere:1:a', lease_expires_at = now() + '1 min'")
    fixed()
    result = replayed(database)["people.emails"]
    assert "being synced by elsewhere" in str(result.error)
    assert len(entries(database)) == 1
