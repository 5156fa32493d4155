"""The ways an alert takes to people: a Slack-compatible incoming webhook, and e-mail.

docs/decisions/0004-alert-channels.md says why Dagster's ready-made sensors do not do for it.
"""

import logging
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from http.client import HTTPException
from typing import Final

from slack_sdk.webhook import WebhookClient

from openfaith_pipeline.errors import DeliveryFailed
from openfaith_pipeline.orgs.alert_delivery import Channel
from openfaith_pipeline.settings import Settings

_TIMEOUT_SECONDS: Final = 8
_PRODUCT: Final = "OpenFaith Pipeline"

# slack_sdk logs the webhook's URL, which is its only secret. No logger of the tree: those are enabled again by whoever
# configures logging.
_SILENT: Final = logging.Logger("silent", logging.CRITICAL + 1)


@dataclass(frozen=True)
class SlackWebhook:
    """An incoming webhook of Slack, or of what takes the same (Mattermost, Rocket.Chat, Discord's `/slack`)."""

    settings: Settings
    name: str = "slack"

    def send(self, subject: str, message: str, mend: str) -> None:
        url = self.settings.slack_webhook
        client = WebhookClient(
            url.get_secret_value() if url else "", timeout=_TIMEOUT_SECONDS, logger=_SILENT, retry_handlers=[]
        )
        subject, message, mend = map(_escaped, (subject, message, mend))
        try:
            answer = client.send(text=f"*{_PRODUCT}: {subject}*\n{message}\n*What to do:* {mend}")
        except (OSError, HTTPException) as error:
            raise DeliveryFailed(f"the Slack webhook does not answer ({type(error).__name__})") from None
        if not 200 <= answer.status_code < 300:
            raise DeliveryFailed(f"the Slack webhook answers {answer.status_code}; see OPENFAITH_SLACK_WEBHOOK")


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
        mail.set_content(f"{message}\n\nWhat to do: {mend}\n")
        try:
            with self._connect() as server:
                server.send_message(mail)
        except (OSError, smtplib.SMTPException) as error:
            # Its message may repeat addresses and what the server said.
            reason = f"{type(error).__name__} {getattr(error, 'smtp_code', '')}".strip()
            raise DeliveryFailed(f"the mail server does not take it ({reason})") from None

    def _connect(self) -> smtplib.SMTP:
        host, port = self.settings.smtp_host or "", self.settings.smtp_port
        if self.settings.smtp_security == "ssl":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, port, timeout=_TIMEOUT_SECONDS, context=ssl.create_default_context()
            )
        else:
            server = smtplib.SMTP(host, port, timeout=_TIMEOUT_SECONDS)
        try:
            if self.settings.smtp_security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if self.settings.smtp_username and self.settings.smtp_password:
                server.login(self.settings.smtp_username, self.settings.smtp_password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


def channels_of(settings: Settings) -> list[Channel]:
    """The channels that are set up."""
    channels: list[Channel] = []
    if settings.slack_webhook:
        channels.append(SlackWebhook(settings))
    if settings.alert_email:
        channels.append(Mail(settings))
    return channels


def _escaped(text: str) -> str:
    """Slack's own escapes, so that a name with `<` in it makes no link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
