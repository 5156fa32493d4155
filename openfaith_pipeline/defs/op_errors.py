"""Handling of errors in ops, by kind."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg

from openfaith_pipeline.defs.failed import AttemptFailed, Failed
from openfaith_pipeline.defs.run_handle import current_caller
from openfaith_pipeline.defs.tracing import traced_op
from openfaith_pipeline.errors import (
    CheckFailed,
    ConnectionRejected,
    LeaseLost,
    OpenFaithError,
    RequestCanceled,
    SourceUnreachable,
    SyncIncomplete,
    UsageError,
    describe_unforeseen,
)

RETRY_POLICY: Final = dg.RetryPolicy(max_retries=3)
"""Immediate retry: Dagster's own wait cannot be interrupted, so the op itself waits, where it can."""

_FIRST_REST_SECONDS: Final = 5.0


@contextmanager
def acted_on(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> Iterator[None]:
    """Fail without retry if a retry cannot help or is not wanted; leave other errors to the retry policy."""
    with traced_op(context), _acted_on(context):
        yield


@contextmanager
def _acted_on(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> Iterator[None]:
    op_name, errors = context.op_def.name, current_caller().errors
    errors.pop(op_name, None)
    _end_if_canceled(context)
    try:
        if context.retry_number:
            current_caller().rest(_FIRST_REST_SECONDS * 2 ** (context.retry_number - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the load
        yield
    except dg.DagsterExecutionInterruptedError:
        # Dagster would apply the retry policy to an interrupt too, even if a person has terminated the run.
        _end_if_canceled(context)
        raise
    except RequestCanceled as error:
        context.instance.report_run_canceling(context.run, str(error))
        raise Failed(str(error)) from error
    except (CheckFailed, ConnectionRejected, LeaseLost, SourceUnreachable, SyncIncomplete, UsageError) as error:
        errors[op_name] = str(error)
        raise Failed(str(error)) from error
    except OpenFaithError as error:
        errors[op_name] = str(error)
        failed, policy = Failed(str(error)), context.op_def.retry_policy
        if policy is None:
            raise failed from error
        raise AttemptFailed(str(error), policy.max_retries) from failed
    except Exception as error:
        errors[op_name] = describe_unforeseen(error)
        raise


def _end_if_canceled(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> None:
    run = context.instance.get_run_by_id(context.run.run_id)
    if run and run.status in {dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED}:
        raise Failed("The run was terminated.")
