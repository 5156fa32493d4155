"""The cause of an outage of Postgres, where known: a refused connection gives none."""

import os
import re
from typing import Final

from openfaith_pipeline.database.cluster import ServerFiles
from openfaith_pipeline.settings import Settings

_DISK_FULL: Final = "53100"
_BYTES_LOOKED_AT: Final = 64 * 1024
_SERVING: Final = b"ready to accept connections"
_NO_SPACE: Final = re.compile(rb"(PANIC|FATAL|ERROR): [^\n]*No space left on device")


def outage_in_words(settings: Settings, error: BaseException) -> str:
    """The kind of error and its known cause: `OperationalError: its disk is full ...`."""
    cause = cause_of_outage(settings, error)
    return f"{type(error).__name__}: {cause}" if cause else type(error).__name__


def cause_of_outage(settings: Settings, error: BaseException | None = None) -> str | None:
    """The cause given by the error, or by the embedded server's log since its last start; None if neither has one."""
    if getattr(error, "sqlstate", None) == _DISK_FULL:
        return "its disk is full; free some space, and work will continue"
    files = ServerFiles(settings.home)
    if settings.is_embedded and _NO_SPACE.search(_log_since_it_served(files)):
        return f"its disk is full (No space left on device); free some on the disk of {files.directory} ({files.log})"
    return None


def _log_since_it_served(files: ServerFiles) -> bytes:
    try:
        with files.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _BYTES_LOOKED_AT))
            return log.read().rpartition(_SERVING)[2]
    except OSError:
        return b""
