"""`--version`: of this program, of Postgres and of the schema. Starts and creates nothing."""

from contextlib import suppress
from importlib.metadata import version
from typing import Final

import psycopg

from openfaith_pipeline.cli.database_at_hand import url_at_hand
from openfaith_pipeline.database.binaries import find_binaries, major_version
from openfaith_pipeline.database.refusals import TROUBLE
from openfaith_pipeline.database.versions import head_revision
from openfaith_pipeline.errors import OpenFaithError
from openfaith_pipeline.settings import Settings, load_settings

_WAIT_SECONDS: Final = 3
_REVISION: Final = "SELECT version_num FROM sync.alembic_version"


def version_lines() -> list[str]:
    """`openfaith-pipeline 1.0.0`, `Postgres 17.2 ...` and `schema 0028 ...`."""
    settings = load_settings()
    postgres, revision = _found(settings)
    head = head_revision()
    is_behind = revision is not None and revision != head
    database = f", the database has {revision}" if is_behind else "" if revision else ", the database's is unknown"
    return [f"openfaith-pipeline {version('openfaith-pipeline')}", f"Postgres {postgres}", f"schema {head}{database}"]


def _found(settings: Settings) -> tuple[str, str | None]:
    """Postgres' version in words, and the revision of the schema in a database that answers."""
    with suppress(OpenFaithError, *TROUBLE, OSError):
        if url := url_at_hand(settings):
            with psycopg.connect(url, connect_timeout=_WAIT_SECONDS) as connection:
                place = "embedded, running" if settings.is_embedded else f"at {settings.db_host}:{settings.db_port}"
                words = f"{connection.info.parameter_status('server_version')} ({place})"
                return words, _revision(connection)
    if not settings.is_embedded:
        return f"at {settings.db_host}:{settings.db_port} does not answer", None
    return f"{major_version(find_binaries(settings, None), None)} (embedded, not running)", None


def _revision(connection: psycopg.Connection) -> str | None:
    with suppress(*TROUBLE):
        row = connection.execute(_REVISION).fetchone()
        return row[0] if row else None
    return None
