"""What an op does about an error, by the error's group."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg

from openfaith_pipeline.defs.caller import current_caller
from openfaith_pipeline.errors import ConnectionRejected, LeaseLost, OpenFaithError, UsageError

RETRY_POLICY: Final = dg.RetryPolicy(
    max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)


@contextmanager
def acted_on(op_name: str) -> Iterator[None]:
    """End the op at once where another try cannot help; leave every other error to the retry policy."""
    errors = current_caller().errors
    errors.pop(op_name, None)
    try:
        yield
    except (ConnectionRejected, LeaseLost, UsageError) as error:
        errors[op_name] = str(error)
        raise dg.Failure(description=str(error), allow_retries=False) from error
    except OpenFaithError as error:
        errors[op_name] = str(error)
        raise
