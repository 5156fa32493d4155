"""Preview features of Dagster, which may still change: our tests cover those that we use."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg


@contextmanager
def no_preview_warnings() -> Iterator[None]:
    """Do not warn of partitioned checks and backfill policies, which are not stable in Dagster."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        warnings.simplefilter("ignore", dg.BetaWarning)
        yield
