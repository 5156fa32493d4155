"""Alerts over the wire: to a webhook as Slack has it, and by SMTP with STARTTLS and a login."""

import logging
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pydantic import SecretStr

from openfaith_pipeline.alerts.channels import Mail, SlackWebhook, channels_of
from openfaith_pipeline.errors import DeliveryFailed
from openfaith_pipeline.settings import Settings
from openfaith_pipeline_tests.certificates import make_certificate
from openfaith_pipeline_tests.receiving import Receiver, receiving

SECRET_PATH = "/services/T000/pl4nted"
PASSWORD = "pl4nted-password"
ALERT = ("connection dead: <Amber> & Hill", "refused", "reconnect")


@dataclass(frozen=True)
class Slack:
    """A receiver of incoming webhooks."""

    url: str
    receiver: Receiver


@pytest.fixture
def slack() -> Iterator[Slack]:
    with receiving(SECRET_PATH) as receiver:
        yield Slack(f"http://127.0.0.1:{receiver.port}{SECRET_PATH}", receiver)


def test_slack_gets_the_event_and_the_remedy(slack: Slack) -> None:
    [channel] = channels_of(Settings(slack_webhook=SecretStr(slack.url)))
    channel.send(*ALERT)

    text = "*OpenFaith Pipeline: connection dead: &lt;Amber&gt; &amp; Hill*\nrefused\n*What to do:* reconnect"
    assert slack.receiver.bodies == [{"text": text}]


@pytest.mark.parametrize("status", [403, 404, 429, 500])
def test_a_webhook_that_refuses_is_a_failed_delivery_and_requested_once(slack: Slack, status: int) -> None:
    slack.receiver.status = status
    with pytest.raises(DeliveryFailed, match=str(status)):
        SlackWebhook(Settings(slack_webhook=SecretStr(slack.url))).send(*ALERT)

    assert len(slack.receiver.bodies) == 1


def test_the_webhooks_secret_is_neither_reported_nor_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(DeliveryFailed) as failed:
        SlackWebhook(Settings(slack_webhook=SecretStr(f"http://127.0.0.1:9{SECRET_PATH}"))).send(*ALERT)

    assert "pl4nted" not in str(failed.value) + caplog.text
    assert failed.value.__cause__ is None


class Postmaster:
    """Takes mail from the one user there is."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.farewell = "221 Bye"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.startswith("gone@"):
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802
        return self.farewell

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        self.envelopes.append(envelope)
        return "250 OK"

    def authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _way: str, data: Any) -> AuthResult:
        is_known = isinstance(data, LoginPassword) and (data.login, data.password) == (b"ops", PASSWORD.encode())
        return AuthResult(success=is_known, handled=False)


@pytest.fixture
def postmaster() -> Postmaster:
    return Postmaster()


@pytest.fixture
def mail(postmaster: Postmaster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings that name a mail server on this machine, whose certificate this machine trusts."""
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    controller = Controller(
        postmaster,
        hostname="127.0.0.1",
        port=_free_port(),
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=postmaster.authenticate,
    )
    controller.start()
    yield Settings(
        smtp_host="127.0.0.1",
        smtp_port=controller.port,
        smtp_username="ops",
        smtp_password=SecretStr(PASSWORD),
        alert_email="ops@example.org, pastor@example.org",
        smtp_from="pipeline@example.org",
    )
    controller.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_mail_goes_to_everybody_named(mail: Settings, postmaster: Postmaster) -> None:
    [channel] = channels_of(mail)
    channel.send("connection dead: Amber\r\nBcc: everyone@example.org", "refused", "reconnect")

    [envelope] = postmaster.envelopes
    assert envelope.rcpt_tos == ["ops@example.org", "pastor@example.org"]
    assert envelope.mail_from == "pipeline@example.org"
    content = envelope.content.decode() if isinstance(envelope.content, bytes) else ""
    assert "Subject: OpenFaith Pipeline: connection dead: Amber Bcc:" in content
    assert re.search(r"^Message-ID: <[^@>]+@example\.org>\r$", content, re.MULTILINE)
    assert re.search(r"^Date: \w{3}, \d+ ", content, re.MULTILINE)
    assert "refused\r\n\r\nWhat to do: reconnect" in content


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"smtp_password": SecretStr("pl4nted-wrong")}, "SMTPAuthenticationError 535"),
        ({"smtp_port": 9}, "ConnectionRefusedError"),
        ({"smtp_security": "ssl"}, "SSLError"),
        ({"smtp_security": "none", "smtp_username": None, "smtp_password": None}, "530"),
    ],
    ids=["wrong password", "nobody there", "not that TLS", "unencrypted"],
)
def test_mail_that_is_not_taken_is_a_failed_delivery(
    mail: Settings, postmaster: Postmaster, change: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(DeliveryFailed, match=reason) as failed:
        Mail(mail.model_copy(update=change)).send(*ALERT)

    assert postmaster.envelopes == []
    assert "pl4nted" not in str(failed.value) + caplog.text


def test_a_recipient_that_the_server_refuses_is_logged_by_number_and_the_others_get_it_once(
    mail: Settings, postmaster: Postmaster, caplog: pytest.LogCaptureFixture
) -> None:
    Mail(mail.model_copy(update={"alert_email": ("ops@example.org", "gone@example.org")})).send(*ALERT)

    assert [envelope.rcpt_tos for envelope in postmaster.envelopes] == [["ops@example.org"]]
    assert "the mail server refuses number 2 of OPENFAITH_ALERT_EMAIL" in caplog.text
    assert "@" not in caplog.text


def test_mail_that_was_taken_is_delivered_however_the_server_says_goodbye(
    mail: Settings, postmaster: Postmaster
) -> None:
    postmaster.farewell = "250 whatever"
    Mail(mail).send(*ALERT)

    assert len(postmaster.envelopes) == 1


def test_without_settings_there_is_no_channel() -> None:
    assert channels_of(Settings()) == []
