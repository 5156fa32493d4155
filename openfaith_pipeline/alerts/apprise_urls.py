"""Alerts to any of the services that Apprise knows, each by its URL; Apprise is an extra, `[apprise]`."""

import hashlib
import logging
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import SecretStr

from openfaith_pipeline.errors import DeliveryFailed

if TYPE_CHECKING:
    from apprise import NotifyBase

_PRODUCT: Final = "OpenFaith Pipeline"
_STATUS: Final = re.compile(r"\berror[=: ]+(\d{3})\b", re.IGNORECASE)


@dataclass(frozen=True)
class AppriseUrl:
    """One URL of OPENFAITH_ALERT_URLS. A URL is a secret: Apprise's own messages, which may repeat it, are dropped."""

    url: SecretStr

    @cached_property
    def name(self) -> str:
        """`json-3fa9c1d2`: the scheme, and a hash that tells several URLs apart without revealing them."""
        digest = hashlib.sha256(self.url.get_secret_value().encode()).hexdigest()[:8]
        return f"{self._scheme}-{digest}"

    def send(self, subject: str, message: str, mend: str) -> None:
        service = self._service()
        with _Quiet() as said:
            has_arrived = service.notify(
                f"{message}\n\nWhat to do: {mend}",
                title=f"{_PRODUCT}: {subject}",
                notify_type="warning",
                body_format="text",
            )
        if not has_arrived:
            status = next((f" ({match[1]})" for line in said if (match := _STATUS.search(line))), "")
            raise DeliveryFailed(f"the service of the {self._scheme}:// URL did not take the message{status}")

    @property
    def _scheme(self) -> str:
        return self.url.get_secret_value().partition("://")[0].lower()

    def _service(self) -> "NotifyBase":
        try:
            from apprise import Apprise, AppriseAsset, NotifyBase  # noqa: PLC0415 - it is an extra
        except ImportError:
            raise DeliveryFailed(
                f"the {self._scheme}:// URL of OPENFAITH_ALERT_URLS needs Apprise, which is not installed here:"
                " pip install 'openfaith-pipeline[apprise]'"
            ) from None
        asset = AppriseAsset(app_id=_PRODUCT, app_desc=_PRODUCT, async_mode=False)
        with _Quiet():
            service = Apprise.instantiate(self.url.get_secret_value(), asset=asset, suppress_exceptions=True)
        if not isinstance(service, NotifyBase):
            raise DeliveryFailed(
                f"Apprise cannot read the {self._scheme}:// URL of OPENFAITH_ALERT_URLS: there is no such service, or"
                " the URL lacks a part; `apprise --details` lists the forms"
            )
        return service


class _Quiet(logging.Handler):
    """Captures the log of Apprise and its HTTP client during the block, so that no URL gets into our own log."""

    _LOGGERS: ClassVar = tuple(map(logging.getLogger, ("apprise", "urllib3")))

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        self._before: list[bool] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())

    def __enter__(self) -> list[str]:
        self._before = [log.propagate for log in self._LOGGERS]
        for log in self._LOGGERS:
            log.propagate = False
            log.addHandler(self)
        return self._lines

    def __exit__(self, *_: object) -> None:
        for log, before in zip(self._LOGGERS, self._before, strict=True):
            log.removeHandler(self)
            log.propagate = before
