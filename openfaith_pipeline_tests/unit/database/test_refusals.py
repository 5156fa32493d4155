"""An outage is a lost connection or a server that stops; whatever else Postgres says is a refusal."""

from pathlib import Path

import psycopg
import pytest
from psycopg import errors
from psycopg_pool import PoolTimeout

from openfaith_pipeline.database.refusals import REFUSED_BY_POSTGRES, is_outage, outages_told, refusal_in_words
from openfaith_pipeline.errors import DatabaseUnavailable
from openfaith_pipeline.settings import Settings

OUTAGES = [
    psycopg.OperationalError("the connection is lost"),
    psycopg.InterfaceError("the connection is closed"),
    PoolTimeout("no connection"),
    errors.ConnectionFailure(),
    errors.AdminShutdown(),
    errors.CrashShutdown(),
    errors.CannotConnectNow(),
    errors.IdleInTransactionSessionTimeout(),
]
REFUSALS = [
    errors.ProgramLimitExceeded(),
    errors.DiskFull(),
    errors.OutOfMemory(),
    errors.DeadlockDetected(),
    errors.QueryCanceled(),
    errors.LockNotAvailable(),
    errors.UniqueViolation(),
    errors.NumericValueOutOfRange(),
    errors.UndefinedTable(),
    errors.FeatureNotSupported(),
]


@pytest.mark.parametrize("error", OUTAGES, ids=lambda error: type(error).__name__)
def test_an_outage_ends_all_until_it_is_over(error: Exception) -> None:
    assert is_outage(error) and not isinstance(error, REFUSED_BY_POSTGRES)
    with (
        pytest.raises(DatabaseUnavailable, match="during the test"),
        outages_told(Settings(home=Path("nowhere")), "during the test"),
    ):
        raise error


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_a_refusal_is_the_trouble_of_the_refused_statement(error: psycopg.Error) -> None:
    assert not is_outage(error) and isinstance(error, REFUSED_BY_POSTGRES)
    assert type(error).__name__ in refusal_in_words(error)
    with pytest.raises(type(error)), outages_told(Settings(home=Path("nowhere")), "during the test"):
        raise error


def test_a_full_disk_is_named() -> None:
    assert "no room" in refusal_in_words(errors.DiskFull())
