"""Log records as OpenTelemetry's, each with the span in which it was written."""

import logging
from typing import Final

from opentelemetry import context
from opentelemetry._logs import Logger, LogRecord, SeverityNumber

_SEVERITIES: Final = {
    logging.DEBUG: SeverityNumber.DEBUG,
    logging.INFO: SeverityNumber.INFO,
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
    logging.CRITICAL: SeverityNumber.FATAL,
}
_NANOSECONDS: Final = 1_000_000_000


class LogHandler(logging.Handler):
    """Sends our own messages, and no exceptions: SDK's handler sends their texts and stacks, with values in them."""

    def __init__(self, logger: Logger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        _print_as_before(record)
        try:
            self._logger.emit(
                LogRecord(
                    timestamp=int(record.created * _NANOSECONDS),
                    context=context.get_current(),
                    severity_text=record.levelname,
                    severity_number=_SEVERITIES.get(record.levelno, SeverityNumber.UNSPECIFIED),
                    body=record.getMessage(),
                    attributes={"logger": record.name},
                )
            )
        except Exception:  # noqa: BLE001 - as every handler of logging: a message that cannot be sent ends nothing
            self.handleError(record)


def _print_as_before(record: logging.LogRecord) -> None:
    """Print warnings where no handler is configured: logging itself does so only if there is none at all."""
    last = logging.lastResort
    if last and not logging.getLogger().handlers and record.levelno >= last.level:
        last.handle(record)
