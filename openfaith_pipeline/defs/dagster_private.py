"""Names of Dagster outside its public API, imported in one place, each with the reason.

Belongs here: every import from a module of Dagster whose name begins with an underscore, and from dagster_postgres
below its top level. `dagster_celery` is an extra, so its two modules import from it themselves. One test keeps such
imports out of all other modules, and another reports each name that a new version of Dagster has moved.
"""

# Narrows Optional values with an error that names the one that was None; Dagster's own integrations use it.
from dagster import _check as check

# Name of the job that "Materialize" in the UI launches: our own job repeats a lost run of it.
from dagster._core.definitions.assets.job.asset_job import IMPLICIT_ASSET_JOB_NAME

# Executes a previously recorded run, with its tags, in this process. The public `dg.execute_job` records the run itself
# and does not accept one. Not needed once `execute_job` accepts a recorded run; no issue requests it.
from dagster._core.definitions.job_base import InMemoryJob

# Only these types distinguish an unreachable code server (retry) from one that refuses (give up). The first is also the
# only exception that a step can end with without a stack trace of it being shown: its SerializableErrorInfo is.
from dagster._core.errors import DagsterUserCodeProcessError, DagsterUserCodeUnreachableError

# Whether Dagster will retry a failed run. Needed as long as its daemon skips a run whose status is not written yet when
# it looks (`should_retry` in auto_run_reexecution.py, seen with 1.13.29; no issue reports it).
from dagster._core.events import JobFailureData, RunFailureReason
from dagster._core.execution.api import execute_run
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES
from dagster._core.execution.retries import auto_reexecution_should_retry_run

# An instance with our storage and everything else from DAGSTER_HOME: `DagsterInstance.get` accepts no overrides.
from dagster._core.instance import InstanceRef

# Result of a launcher's health check. `dg.DefaultRunLauncher` has no such check, so a run whose host died stays started
# for ever; dagster#33493 adds one to the Celery launcher only. And the argument of `launch_run`.
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus

# The UI shows and re-executes a run only if it is recorded with its origin.
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

# The coordinator's description of its queue, returned by the public `dg.QueuedRunCoordinator`.
from dagster._core.run_coordinator.queued_run_coordinator import RunQueueConfig

# Tags that connect a run with its retries, its backfill and its place in the queue. The public API has
# only MAX_RUNTIME_SECONDS_TAG (dagster#13445).
from dagster._core.storage.tags import (
    BACKFILL_ID_TAG,
    BACKFILL_TAGS,
    MAX_RETRIES_TAG,
    PARENT_RUN_ID_TAG,
    PRIORITY_TAG,
    RETRY_NUMBER_TAG,
    ROOT_RUN_ID_TAG,
    RUN_FAILURE_REASON_TAG,
    TAGS_TO_MAYBE_OMIT_ON_RETRY,
)

# The web application that our guard wraps: Dagster's command starts it without a way to add middleware.
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget

# Parameter type of `from_config_value`, which every configurable storage overrides.
from dagster._serdes import ConfigurableClassData

# How the error of a step is kept: `failed.Failed` has one without a stack trace.
from dagster._utils.error import SerializableErrorInfo  # type: ignore[attr-defined] # imported there, not exported
from dagster._utils.log import configure_loggers

# Errors of Dagster's storage when Postgres goes away, and its own retries for a Postgres that is starting.
from dagster_postgres.utils import DagsterPostgresException, retry_pg_connection_fn

__all__ = [
    "BACKFILL_ID_TAG",
    "BACKFILL_TAGS",
    "BULK_ACTION_TERMINAL_STATUSES",
    "IMPLICIT_ASSET_JOB_NAME",
    "MAX_RETRIES_TAG",
    "PARENT_RUN_ID_TAG",
    "PRIORITY_TAG",
    "RETRY_NUMBER_TAG",
    "ROOT_RUN_ID_TAG",
    "RUN_FAILURE_REASON_TAG",
    "TAGS_TO_MAYBE_OMIT_ON_RETRY",
    "CheckRunHealthResult",
    "ConfigurableClassData",
    "DagsterPostgresException",
    "DagsterUserCodeProcessError",
    "DagsterUserCodeUnreachableError",
    "InMemoryJob",
    "InstanceRef",
    "JobFailureData",
    "LaunchRunContext",
    "RegisteredCodeLocationOrigin",
    "RemoteJobOrigin",
    "RemoteRepositoryOrigin",
    "RunFailureReason",
    "RunLauncher",
    "RunQueueConfig",
    "SerializableErrorInfo",
    "WorkerStatus",
    "WorkspaceFileTarget",
    "WorkspaceProcessContext",
    "auto_reexecution_should_retry_run",
    "check",
    "configure_loggers",
    "execute_run",
    "retry_pg_connection_fn",
]
