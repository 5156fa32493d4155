"""Sensors that act on the end of runs, and pass none by because something does not answer at the moment."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from sqlalchemy.exc import InterfaceError, OperationalError

from openfaith_pipeline.database.refusals import TROUBLE, is_outage
from openfaith_pipeline.defs.dagster_private import DagsterPostgresException
from openfaith_pipeline.errors import DatabaseUnavailable


class PutOff(dg.DagsterError):
    """Fails the tick of a run status sensor; the next begins with the same run.

    After any other error Dagster goes on with the next run, lest an effect be repeated.
    """


@contextmanager
def put_off_in_outages() -> Iterator[None]:
    """Put the run off while Postgres does not answer: an outage fails runs, and must not hide those failures."""
    try:
        yield
    except (DatabaseUnavailable, OperationalError, InterfaceError, DagsterPostgresException) as error:
        raise PutOff(f"put off: {type(error).__name__}") from error
    except TROUBLE as error:
        if not is_outage(error):
            raise
        raise PutOff(f"put off: {type(error).__name__}") from error
