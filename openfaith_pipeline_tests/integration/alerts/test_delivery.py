"""Each open alert reaches each channel once, whatever fails in between."""

from dataclasses import dataclass, field
from threading import Barrier, Thread

import pytest

from openfaith_pipeline.alerts.delivery import CLAIM, deliver_due_alerts
from openfaith_pipeline.alerts.incidents import Alert, list_alerts, raise_alert, resolve_alert
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import DeliveryFailed
from openfaith_pipeline.orgs.org_ids import new_org_id

ORG, OTHER = new_org_id(), new_org_id()


@dataclass
class Recorder:
    """A channel that records messages, or fails."""

    name: str
    is_broken: bool = False
    sent: list[str] = field(default_factory=list)
    tried: int = 0

    def send(self, subject: str, message: str, mend: str) -> None:
        self.tried += 1
        if self.is_broken:
            raise DeliveryFailed("no answer")
        self.sent.append(f"{subject} | {message} | {mend}")


@pytest.fixture
def database(database: Database) -> Database:
    with database.connect() as connection:
        connection.execute("INSERT INTO sync.orgs (org_id, name) VALUES (%s, 'Amber Hill')", (ORG,))
        raise_alert(connection, "connection_dead", ORG, "refused", "reconnect")
    return database


def _alerts(database: Database) -> list[Alert]:
    with database.connect() as connection:
        return list_alerts(connection)


def _time_passes(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE sync.alerts SET next_attempt_at = next_attempt_at - interval '2 hours'")


def test_an_alert_is_sent_once_with_its_remedy(database: Database) -> None:
    slack = Recorder("slack")
    for _ in range(3):
        deliver_due_alerts(database, [slack])
        _time_passes(database)
        with database.connect() as connection:
            raise_alert(connection, "connection_dead", ORG, "refused again", "reconnect")

    assert slack.sent == [f"connection dead: Amber Hill ({ORG}) | refused | reconnect"]
    [alert] = _alerts(database)
    assert (alert.delivered_to, alert.delivered_at is not None) == (["slack"], True)


def test_a_channel_that_fails_is_tried_again_alone(database: Database) -> None:
    slack, mail = Recorder("slack"), Recorder("email", is_broken=True)
    assert list(deliver_due_alerts(database, [slack, mail]).values()) == ["no answer"]
    assert deliver_due_alerts(database, [slack, mail]) == {}
    [alert] = _alerts(database)
    assert (alert.delivered_to, alert.delivered_at, alert.delivery_error) == (["slack"], None, "no answer")

    mail.is_broken = False
    _time_passes(database)
    assert list(deliver_due_alerts(database, [slack, mail]).values()) == [None]
    assert (len(slack.sent), len(mail.sent)) == (1, 1)
    assert _alerts(database)[0].delivery_error is None


def test_a_broken_channel_is_tried_once_in_a_round_and_holds_up_no_other(database: Database) -> None:
    with database.connect() as connection:
        raise_alert(connection, "connection_dead", OTHER, "refused", "reconnect")
    slack, mail = Recorder("slack", is_broken=True), Recorder("email")
    deliver_due_alerts(database, [slack, mail])

    assert (slack.tried, len(mail.sent)) == (1, 2)


def test_an_alert_that_a_working_channel_has_is_not_held_up_by_another_alerts_broken_one(database: Database) -> None:
    slack, mail = Recorder("slack"), Recorder("email", is_broken=True)
    deliver_due_alerts(database, [slack, mail])
    mail.is_broken, slack.is_broken = False, True
    with database.connect() as connection:
        connection.execute("UPDATE sync.alerts SET next_attempt_at = now() - interval '1 h'")
        raise_alert(connection, "connection_dead", OTHER, "refused", "reconnect")
        connection.execute(
            "UPDATE sync.alerts SET next_attempt_at = now() - interval '2 h' WHERE org_id = %s", (OTHER,)
        )
    deliver_due_alerts(database, [slack, mail])

    everywhere, half = sorted(_alerts(database), key=lambda alert: alert.org_id == OTHER)
    assert (everywhere.delivered_at is not None, everywhere.delivery_error) == (True, None)
    assert (half.delivered_to, half.delivered_at, half.delivery_error) == (["email"], None, "no answer")


def test_of_many_alerts_only_those_wait_longer_that_the_broken_channel_was_tried_with(database: Database) -> None:
    """A chat takes about one message a second: of many at once it takes some in each round, and refuses one."""
    with database.connect() as connection:
        for job in ("one", "other"):
            raise_alert(connection, "run_failed", ORG, "failed", "look", incident=job)
    slack = Recorder("slack", is_broken=True)
    for _ in range(4):
        with database.connect() as connection:
            connection.execute("UPDATE sync.alerts SET next_attempt_at = now() - interval '1 s'")
        deliver_due_alerts(database, [slack])

    with database.connect() as connection:
        rows = connection.execute(
            "SELECT attempts, next_attempt_at < now() + interval '61 s' FROM sync.alerts"
        ).fetchall()
    assert sum(attempts for attempts, _ in rows) == slack.tried == 4
    assert [is_soon for _, is_soon in rows].count(True) == 2


def test_an_alert_that_is_over_before_it_was_sent_is_not_sent(database: Database) -> None:
    slack = Recorder("slack")
    with database.connect() as connection:
        resolve_alert(connection, "connection_dead", ORG)
    deliver_due_alerts(database, [slack])

    assert slack.sent == []


def test_two_deliverers_send_it_once(database: Database) -> None:
    slack, start = Recorder("slack"), Barrier(4)

    def deliver() -> None:
        start.wait()
        deliver_due_alerts(database, [slack])

    threads = [Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(slack.sent) == 1


def test_one_whose_deliverer_died_is_sent_after_the_claim(database: Database) -> None:
    class Dies(Recorder):
        def send(self, *_: str) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver_due_alerts(database, [Dies("slack")])
    slack = Recorder("slack")
    deliver_due_alerts(database, [slack])
    assert slack.sent == []
    with database.connect() as connection:
        connection.execute("UPDATE sync.alerts SET next_attempt_at = next_attempt_at - %s", (CLAIM,))
    deliver_due_alerts(database, [slack])
    assert len(slack.sent) == 1


def test_a_channel_set_up_later_gets_the_open_alerts(database: Database) -> None:
    slack, mail = Recorder("slack"), Recorder("email")
    deliver_due_alerts(database, [])
    deliver_due_alerts(database, [slack])
    _time_passes(database)
    deliver_due_alerts(database, [slack, mail])

    assert (len(slack.sent), len(mail.sent)) == (1, 1)
