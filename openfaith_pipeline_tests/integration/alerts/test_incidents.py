"""Alerts: one row for each incident, from the first time it is noticed until it is over."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from openfaith_pipeline.alerts.incidents import (
    list_alerts,
    raise_alert,
    raise_alert_async,
    resolve_alert,
    resolve_alert_by_id,
)
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.orgs.org_ids import new_org_id

ORG, OTHER = new_org_id(), new_org_id()


def test_an_incident_is_one_alert_until_it_is_over(database: Database) -> None:
    with database.connect() as connection:
        assert raise_alert(connection, "connection_dead", ORG, "refused", "reconnect")
        assert not raise_alert(connection, "connection_dead", ORG, "refused again", "reconnect")
        assert raise_alert(connection, "connection_dead", OTHER, "refused", "reconnect")
        [first, other] = list_alerts(connection)
        assert (first.org_id, first.count, first.message) == (ORG, 2, "refused again")
        assert (other.org_id, other.count) == (OTHER, 1)

        assert resolve_alert(connection, "connection_dead", ORG) == 1
        assert resolve_alert(connection, "connection_dead", ORG) == 0
        assert raise_alert(connection, "connection_dead", ORG, "refused", "reconnect")
        assert [alert.org_id for alert in list_alerts(connection)] == [OTHER, ORG]
        assert len(list_alerts(connection, with_resolved=True)) == 3
        assert [alert.count for alert in list_alerts(connection, org_id=ORG)] == [1]


def test_incidents_of_one_org_are_distinguished_by_name_and_end_each_or_together(database: Database) -> None:
    with database.connect() as connection:
        for stream in ("people.people", "people.emails"):
            assert raise_alert(connection, "deletes_held", ORG, f"{stream}: held", "approve", incident=stream)
        assert resolve_alert(connection, "deletes_held", ORG, incident="people.emails") == 1
        assert [alert.incident for alert in list_alerts(connection)] == ["people.people"]
        assert resolve_alert(connection, "deletes_held", ORG) == 1


def test_an_alert_that_concerns_no_single_org_is_one_incident_too(database: Database) -> None:
    with database.connect() as connection:
        assert raise_alert(connection, "connections_dying", None, "several", "look")
        assert not raise_alert(connection, "connections_dying", None, "several", "look")
        assert resolve_alert(connection, "connections_dying", None) == 1


def test_noticed_by_many_at_once_it_is_new_for_one_of_them(database: Database) -> None:
    def notice(_: int) -> bool:
        with database.connect() as connection:
            return raise_alert(connection, "run_failed", ORG, "failed", "look")

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(notice, range(8))) == 1
    with database.connect() as connection:
        assert [alert.count for alert in list_alerts(connection)] == [8]


async def test_it_is_raised_in_the_transaction_that_it_reports(database: Database) -> None:
    async with await psycopg.AsyncConnection.connect(database.url) as connection:
        assert await raise_alert_async(connection, "deletes_held", ORG, "held", "approve")
        await connection.rollback()
    with database.connect() as other:
        assert list_alerts(other) == []


def test_by_hand_only_an_open_one_can_be_resolved(database: Database) -> None:
    with database.connect() as connection:
        raise_alert(connection, "run_failed", ORG, "failed", "look")
        [alert] = list_alerts(connection)
        assert resolve_alert_by_id(connection, alert.id).resolved_at is not None
        with pytest.raises(UsageError, match="alerts list"):
            resolve_alert_by_id(connection, alert.id)
