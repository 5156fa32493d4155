"""The home: whether it can be written, has room, and keeps its secrets, as the files of settings must."""

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from openfaith_pipeline.connections.cipher import KEY_FILE
from openfaith_pipeline.doctor.report import Finding, found, found_all
from openfaith_pipeline.settings import Settings, files_with_secrets

LEAST_FREE: Final = 500_000_000
"""Bytes free on the home's disk."""

_SECRET: Final = (KEY_FILE, "roles/*.json", "postgres/password", ".env")


def examine_home(settings: Settings) -> Iterator[Finding]:
    """Findings about the home and the files of settings.

    If there is no home, nothing is found in it: opening the database reports that.
    """
    home = settings.home
    if not home.is_dir():
        yield from _readable_by_others(files_with_secrets())
        return
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        yield found("home_unwritable", detail=str(home))
        return
    free = shutil.disk_usage(home).free
    if settings.is_embedded and free < LEAST_FREE:
        yield found("home_full", detail=f"{free / 1e6:,.0f} MB free at {home}")
    kept = (path for pattern in _SECRET for path in home.glob(pattern))
    yield from _readable_by_others({*kept, *files_with_secrets()})


def _readable_by_others(secrets: Iterable[Path]) -> Iterator[Finding]:
    readable = [str(path) for path in sorted(secrets) if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    yield from found_all("secrets_readable", None, readable)
