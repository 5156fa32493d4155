"""Postgres is restarted while a scheduled job works: the job is done a moment later, and nobody is alarmed."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs import maintenance, token_refresh, verification
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.errors import DatabaseUnavailable

JOBS = (
    (maintenance, "maintain", maintenance.maintenance_job),
    (token_refresh, "refresh_due_tokens", token_refresh.token_refresh_job),
    (verification, "_orgs", verification.verify_job),
)


@pytest.mark.parametrize(("module", "work", "job"), JOBS, ids=[job.name for *_, job in JOBS])
def test_a_job_is_done_again_after_an_outage(
    module: Any,
    work: str,
    job: dg.JobDefinition,
    database: Database,  # noqa: ARG001 - the resource opens it
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: Callable[..., Any] = getattr(module, work)
    outages = [DatabaseUnavailable("the server is shutting down")]

    def once_unavailable(*arguments: Any, **named: Any) -> Any:
        if outages:
            raise outages.pop()
        return done(*arguments, **named)

    monkeypatch.setattr(module, work, once_unavailable)
    monkeypatch.setattr("openfaith_pipeline.defs.op_errors._FIRST_REST_SECONDS", 0)
    resources = {"database": DatabaseResource()}
    assert job.execute_in_process(instance=instance, resources=resources, raise_on_error=False).success
    assert outages == []
