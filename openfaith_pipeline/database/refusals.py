"""What an error of Postgres is: an outage, which waiting mends, or a refusal of what it was given."""

from typing import Final

import psycopg
from psycopg_pool import PoolTimeout

_OUTAGES: Final = ("08", "57P0")
_REFUSALS: Final = ("22", "23", "54")
"""By the class of the SQLSTATE: data, constraints, limits such as an index's on the size of a value."""


def is_outage(error: BaseException) -> bool:
    """Whether Postgres went away or does not come to answer; psycopg's OperationalError is wider than that."""
    if not isinstance(error, psycopg.Error):
        return isinstance(error, PoolTimeout)
    is_of_the_wire = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(_OUTAGES) if error.sqlstate else is_of_the_wire


def is_refusal(error: BaseException) -> bool:
    """Whether values were refused, by Postgres or on the way there, so that the same without them would be taken."""
    if not isinstance(error, psycopg.Error):
        return isinstance(error, ValueError | OverflowError)
    return error.sqlstate[:2] in _REFUSALS if error.sqlstate else isinstance(error, psycopg.DataError)
