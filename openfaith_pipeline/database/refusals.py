"""Classification of Postgres errors: outages, where waiting helps, and refusals of the data or statement."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout

from openfaith_pipeline.database.outages import outage_in_words
from openfaith_pipeline.errors import DatabaseUnavailable
from openfaith_pipeline.settings import Settings

TROUBLE: Final = (psycopg.Error, PoolTimeout)
"""All errors that can come from talking to Postgres.

Psycopg's errors have no other names outside this package: they are caught by this one and by the two below.
"""

UNANSWERED: Final = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout)
"""Errors that mean an outage, except those that are also in REFUSED_BY_POSTGRES: catch those first."""

VALUE_REFUSED: Final = psycopg.DataError
LOCK_IN_USE: Final = psycopg.errors.LockNotAvailable

_OUTAGES: Final = ("08", "57P0", "25P03")
"""Lost connections, a server that stops or starts, and a transaction that it ended together with its connection."""
_NO_ROOM: Final = "53"


def _refusals_among(*bases: type[psycopg.Error]) -> Iterator[type[psycopg.Error]]:
    for kind in vars(psycopg.errors).values():
        state = getattr(kind, "sqlstate", None)
        if state and issubclass(kind, bases) and not state.startswith(_OUTAGES):
            yield kind


REFUSED_BY_POSTGRES: Final[tuple[type[psycopg.Error], ...]] = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.ProgrammingError,
    psycopg.NotSupportedError,
    *_refusals_among(psycopg.OperationalError, psycopg.InternalError),
)
"""Postgres errors that are not outages. They affect one stream or one church; the others continue.

psycopg files many of them under OperationalError: a limit, a full disk, a deadlock. So catch these first.
"""
_ABSENT: Final = ("42P01", "42703", "3F000", "42883")
_NOT_ALLOWED: Final = "42501"
_REFUSALS: Final = ("22", "23", "54")
"""SQLSTATE classes: data, constraints, limits such as an index's on the size of a value."""


def is_outage(error: BaseException) -> bool:
    """Whether Postgres went away or does not respond; psycopg's OperationalError is wider than that."""
    if not isinstance(error, psycopg.Error):
        return isinstance(error, PoolTimeout)
    is_of_the_wire = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(_OUTAGES) if error.sqlstate else is_of_the_wire


@contextmanager
def outages_told(settings: Settings | None, during: str) -> Iterator[None]:
    """Turn an outage in the block into DatabaseUnavailable, with the cause if it is known.

    Refusals pass unchanged.
    """
    try:
        yield
    except TROUBLE as error:
        if not is_outage(error):
            raise
        raise unavailable(error, during, settings) from error


def unavailable(error: BaseException, during: str, settings: Settings | None = None) -> DatabaseUnavailable:
    """Our error for an outage, which happened `during` something. settings: to look for the cause."""
    reason = outage_in_words(settings, error) if settings else type(error).__name__
    return DatabaseUnavailable(f"Postgres went away {during}: {reason}")


def is_from_postgres(error: BaseException) -> bool:
    """Whether Postgres, or psycopg in its place, raised the error."""
    return isinstance(error, psycopg.Error)


def in_words(error: Exception) -> str:
    """The message of an error of ours, or the reason for one of Postgres'."""
    return refusal_in_words(error) if is_from_postgres(error) else str(error)


def refusal_in_words(error: BaseException) -> str:
    """The reason for a refusal by Postgres.

    Postgres' message may quote values, which are personal data, so only lack of space is quoted.
    """
    if not isinstance(error, psycopg.Error):
        return type(error).__name__
    state = error.sqlstate or ""
    if state.startswith(_NO_ROOM):
        return f"Postgres has no room: {error.diag.message_primary or type(error).__name__} ({state})"
    return f"Postgres refused its rows: {type(error).__name__} {state} {error.diag.column_name or ''}".strip()


def unreadable_in_words(error: Exception) -> str:
    """The reason why tables could not be read."""
    state = getattr(error, "sqlstate", None)
    if state in _ABSENT:
        return f"a table, column or function is missing ({state}): openfaith-pipeline db upgrade"
    if state == _NOT_ALLOWED:
        return f"the database's user may not read it ({state})"
    return in_words(error)


def is_refusal(error: BaseException) -> bool:
    """Whether values were refused, by Postgres or by psycopg, so that the same statement without them would succeed."""
    if not isinstance(error, psycopg.Error):
        return isinstance(error, ValueError | OverflowError)
    return error.sqlstate[:2] in _REFUSALS if error.sqlstate else isinstance(error, psycopg.DataError)
