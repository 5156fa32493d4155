"""Channels for alerts: a Slack-compatible incoming webhook, e-mail, and services that Apprise knows.

docs/decisions/0004-alert-channels.md explains why Dagster's ready-made sensors are not enough.
"""

import logging
import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import localtime, make_msgid
from http.client import HTTPException
from typing import Final

from pydantic import SecretStr

from openfaith_pipeline.alerts.apprise_urls import AppriseUrl
from openfaith_pipeline.alerts.delivery import Channel
from openfaith_pipeline.errors import ConfigurationError, DeliveryFailed
from openfaith_pipeline.network.certificates import mail_tls_context
from openfaith_pipeline.network.clients import post_json
from openfaith_pipeline.settings import Settings

_TIMEOUT_SECONDS: Final = 8
_PRODUCT: Final = "OpenFaith Pipeline"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SlackWebhook:
    """An incoming webhook of Slack or of a compatible service (Mattermost, Rocket.Chat, Discord's `/slack`)."""

    settings: Settings
    name: str = "slack"

    def send(self, subject: str, message: str, mend: str) -> None:
        url = self.settings.slack_webhook.get_secret_value() if self.settings.slack_webhook else ""
        subject, message, mend = map(_escaped, (subject, message, mend))
        text = f"*{_PRODUCT}: {subject}*\n{message}\n*What to do:* {mend}"
        try:
            status = post_json(url, {"text": text}, timeout=_TIMEOUT_SECONDS)
        except ConfigurationError as error:
            raise DeliveryFailed(f"the Slack webhook cannot be reached: {error}") from None
        except (OSError, HTTPException) as error:
            raise DeliveryFailed(f"the Slack webhook does not answer ({_reason(error)})") from None
        if not 200 <= status < 300:
            raise DeliveryFailed(f"the Slack webhook returned {status}; see OPENFAITH_SLACK_WEBHOOK")


@dataclass(frozen=True)
class Mail:
    """Plain text by SMTP."""

    settings: Settings
    name: str = "email"

    def send(self, subject: str, message: str, mend: str) -> None:
        mail = EmailMessage()
        mail["Subject"] = " ".join(f"{_PRODUCT}: {subject}".split())
        mail["From"] = self.settings.smtp_from or self.settings.alert_email[0]
        mail["To"] = ", ".join(self.settings.alert_email)
        mail["Date"] = localtime()
        # Not every relay adds one, and some receivers silently drop mail without it.
        mail["Message-ID"] = make_msgid(domain=mail["From"].rpartition("@")[2].strip(" <>") or "localhost")
        mail.set_content(f"{message}\n\nWhat to do: {mend}\n")
        try:
            server = self._connect()
            try:
                refused = server.send_message(mail)
            finally:
                with suppress(OSError, smtplib.SMTPException):  # the message was taken or refused before
                    server.quit()
                server.close()
        except (OSError, smtplib.SMTPException) as error:
            # The error's message may repeat addresses and the server's text.
            reason = f"{_reason(error)} {getattr(error, 'smtp_code', '')}".strip()
            raise DeliveryFailed(f"the mail server rejected the message ({reason})") from None
        except ConfigurationError as error:
            raise DeliveryFailed(f"the mail server cannot be reached: {error}") from None
        if refused:  # to send it again would only bring it to the others once more
            numbers = [str(n) for n, address in enumerate(self.settings.alert_email, start=1) if address in refused]
            _log.warning("the mail server refuses number %s of OPENFAITH_ALERT_EMAIL", ", ".join(numbers))

    def _connect(self) -> smtplib.SMTP:
        host, port = self.settings.smtp_host or "", self.settings.smtp_port
        if self.settings.smtp_security == "ssl":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT_SECONDS, context=mail_tls_context())
        else:
            server = smtplib.SMTP(host, port, timeout=_TIMEOUT_SECONDS)
        try:
            if self.settings.smtp_security == "starttls":
                server.starttls(context=mail_tls_context())
            if self.settings.smtp_username and self.settings.smtp_password:
                server.login(self.settings.smtp_username, self.settings.smtp_password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


def channels_of(settings: Settings) -> list[Channel]:
    """The configured channels."""
    channels: list[Channel] = []
    if settings.slack_webhook:
        channels.append(SlackWebhook(settings))
    if settings.alert_email:
        channels.append(Mail(settings))
    urls = dict.fromkeys(url.get_secret_value() for url in settings.alert_urls)
    return [*channels, *(AppriseUrl(SecretStr(url)) for url in urls)]


def _reason(error: Exception) -> str:
    """The cause of a failed request, without anything that was sent."""
    cause = getattr(error, "reason", error)  # set on urllib's URLError, which wraps the cause
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted, {cause.verify_message}; set SSL_CERT_FILE to a PEM file with the"
            " certificate of its issuer"
        )
    return type(cause).__name__ if isinstance(cause, Exception) else type(error).__name__


def _escaped(text: str) -> str:
    """Escape as Slack requires, so that a name with `<` in it makes no link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
