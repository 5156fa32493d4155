"""What an error of Postgres is: an outage, which waiting mends, or a refusal of what it was given."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout

from openfaith_pipeline.database.outages import outage_in_words
from openfaith_pipeline.errors import DatabaseUnavailable
from openfaith_pipeline.settings import Settings

TROUBLE: Final = (psycopg.Error, PoolTimeout)
"""All that can come of talking to Postgres."""

_OUTAGES: Final = ("08", "57P0", "25P03")
"""Lost connections, a server that stops or starts, and a transaction it ended with its connection."""
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
"""All errors of Postgres that are no outage. One stream's trouble, or one church's: the others go on.

psycopg files many of them under OperationalError: a limit, a full disk, a deadlock. So this is caught first.
"""
_REFUSALS: Final = ("22", "23", "54")
"""By the class of the SQLSTATE: data, constraints, limits such as an index's on the size of a value."""


def is_outage(error: BaseException) -> bool:
    """Whether Postgres went away or does not come to answer; psycopg's OperationalError is wider than that."""
    if not isinstance(error, psycopg.Error):
        return isinstance(error, PoolTimeout)
    is_of_the_wire = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(_OUTAGES) if error.sqlstate else is_of_the_wire


@contextmanager
def outages_told(settings: Settings, during: str) -> Iterator[None]:
    """Raise DatabaseUnavailable, with the cause where it is known, for an outage in the block.

    What Postgres refuses stays what it is.
    """
    try:
        yield
    except TROUBLE as error:
        if not is_outage(error):
            raise
        raise DatabaseUnavailable(f"Postgres went away {during}: {outage_in_words(settings, error)}") from error


def refusal_in_words(error: psycopg.Error) -> str:
    """Why Postgres refused. Its message would quote values, which are personal data, but not where it lacks room."""
    state = error.sqlstate or ""
    if state.startswith(_NO_ROOM):
        return f"Postgres has no room: {error.diag.message_primary or type(error).__name__} ({state})"
    return f"Postgres refused its rows: {type(error).__name__} {state} {error.diag.column_name or ''}".strip()


def is_refusal(error: BaseException) -> bool:
    """Whether values were refused, by Postgres or on the way there, so that the same without them would be taken."""
    if not isinstance(error, psycopg.Error):
        return isinstance(error, ValueError | OverflowError)
    return error.sqlstate[:2] in _REFUSALS if error.sqlstate else isinstance(error, psycopg.DataError)
