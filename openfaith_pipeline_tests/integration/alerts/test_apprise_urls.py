"""Alerts to any URL that Apprise knows, over the wire to a receiver of its JSON form."""

import logging
import sys
from collections.abc import Iterator

import orjson
import pytest
from pydantic import SecretStr, ValidationError
from typer.testing import CliRunner

from openfaith_pipeline.alerts.channels import channels_of
from openfaith_pipeline.alerts.delivery import deliver_due_alerts
from openfaith_pipeline.alerts.incidents import list_alerts, raise_alert
from openfaith_pipeline.cli.app import app
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import DeliveryFailed
from openfaith_pipeline.settings import Settings
from openfaith_pipeline_tests.receiving import Receiver, receiving

ALERT = ("connection dead: <Amber> & Hill", "refused", "reconnect")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving("/church") as receiver:
        yield receiver


def url_of(receiver: Receiver) -> str:
    """As Apprise's `json://` has it."""
    return f"json://user:pl4nted@127.0.0.1:{receiver.port}/church"


def settings_with(*urls: str) -> Settings:
    return Settings(alert_urls=tuple(map(SecretStr, urls)))


def test_a_message_arrives_whole_and_as_plain_text(receiver: Receiver) -> None:
    [channel] = channels_of(settings_with(url_of(receiver)))
    channel.send(*ALERT)

    [body] = receiver.bodies
    assert body["title"] == "OpenFaith Pipeline: connection dead: <Amber> & Hill"
    assert body["message"] == "refused\n\nWhat to do: reconnect"
    assert body["type"] == "warning"


@pytest.mark.parametrize("status", [500, 403])
def test_a_refusal_is_a_failure_that_reveals_no_secret(
    receiver: Receiver, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = status
    [channel] = channels_of(settings_with(url_of(receiver)))
    with caplog.at_level(logging.DEBUG), pytest.raises(DeliveryFailed) as failed:
        channel.send(*ALERT)

    assert str(failed.value) == f"the service of the json:// URL did not take the message ({status})"
    assert "pl4nted" not in caplog.text + str(failed.value) + channel.name
    assert "/church" not in caplog.text


def test_nobody_there_is_a_failure() -> None:
    [channel] = channels_of(settings_with("json://127.0.0.1:9/"))
    with pytest.raises(DeliveryFailed, match="did not take the message"):
        channel.send(*ALERT)


@pytest.mark.parametrize("url", ["nosuchservice://pl4nted/part", "tgram://pl4nted"])
def test_a_url_that_apprise_cannot_read_is_named_by_its_scheme(url: str) -> None:
    [channel] = channels_of(settings_with(url))
    with pytest.raises(DeliveryFailed, match=r"Apprise cannot read the (nosuchservice|tgram):// URL") as failed:
        channel.send(*ALERT)
    assert "pl4nted" not in str(failed.value)


def test_without_the_extra_the_message_names_the_package_to_install(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    [channel] = channels_of(settings_with(url_of(receiver)))
    with pytest.raises(DeliveryFailed, match=r"json:// URL .* pip install 'openfaith-pipeline\[apprise\]'"):
        channel.send(*ALERT)
    assert receiver.bodies == []


def test_each_url_is_sent_an_alert_once_though_another_fails(receiver: Receiver, database: Database) -> None:
    channels = channels_of(settings_with("json://127.0.0.1:9/", url_of(receiver), url_of(receiver)))
    assert len({channel.name for channel in channels}) == len(channels) == 2
    with database.connect() as connection:
        raise_alert(connection, "freshness_missed", None, "late", "look")
    for _ in range(2):
        deliver_due_alerts(database, channels)
        with database.connect() as connection:
            connection.execute("UPDATE sync.alerts SET next_attempt_at = now()")
            [alert] = list_alerts(connection)

    assert len(receiver.bodies) == 1
    assert alert.delivered_to == [channels[1].name]
    assert alert.delivery_error == "the service of the json:// URL did not take the message"


def test_the_test_message_goes_to_the_urls_of_the_environment(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENFAITH_ALERT_URLS", f"  {url_of(receiver)}\n json://127.0.0.1:9/a,b ")
    result = CliRunner().invoke(app, ["alerts", "test", "--json"])

    assert result.exit_code == 1
    sent = {name: each["sent"] for name, each in orjson.loads(result.stdout).items()}
    assert sorted(sent.values()) == [False, True]
    assert [body["title"] for body in receiver.bodies] == ["OpenFaith Pipeline: a test"]


@pytest.mark.parametrize("value", ["ntfy.example.org", "json://one two"])
def test_a_text_that_is_no_url_is_refused_without_being_repeated(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENFAITH_ALERT_URLS", value)
    with pytest.raises(ValidationError, match=r"number [12] is not a URL"):
        Settings()
