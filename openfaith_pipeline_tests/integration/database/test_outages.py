"""A database that is gone says why, where it has said so itself."""

from pathlib import Path

import psycopg
import pytest

from openfaith_pipeline.database.cluster import ServerFiles
from openfaith_pipeline.database.connection import database_at
from openfaith_pipeline.database.outages import outage_in_words
from openfaith_pipeline.database.refusals import outages_told
from openfaith_pipeline.errors import DatabaseUnavailable
from openfaith_pipeline.settings import Settings

SERVING = "LOG:  database system is ready to accept connections\n"
FULL = 'PANIC:  could not write to file "pg_wal/xlogtemp.81": No space left on device\n'


def _embedded(home: Path, log: str) -> Settings:
    files = ServerFiles(home)
    files.make_directories()
    files.log.write_text(log)
    return Settings(home=home)


@pytest.mark.parametrize(
    ("log", "is_full"), [(SERVING + FULL, True), (FULL + SERVING, False), (SERVING, False), ("x" * 70_000 + FULL, True)]
)
def test_a_server_whose_disk_is_full_is_not_only_a_refused_connection(log: str, is_full: bool, tmp_path: Path) -> None:
    settings = _embedded(tmp_path, log)
    with pytest.raises(DatabaseUnavailable, match="refused") as gone:
        database_at(settings, "postgresql://openfaith@127.0.0.1:9/openfaith?sslmode=disable").connect()

    assert ("its disk is full" in str(gone.value)) is is_full
    with pytest.raises(DatabaseUnavailable) as away, outages_told(settings, "during the sync"):
        raise psycopg.OperationalError("connection refused")
    assert ("its disk is full" in str(away.value)) is is_full
    words = outage_in_words(settings, psycopg.OperationalError("connection refused"))
    assert ("its disk is full" in words) is is_full


def test_a_server_elsewhere_says_it_by_its_error(settings: Settings) -> None:
    assert outage_in_words(settings, psycopg.errors.DiskFull("no space")).startswith("DiskFull: its disk is full")
    assert outage_in_words(settings, psycopg.OperationalError("gone")) == "OperationalError"
