"""The data database as ops, assets and sensors receive it."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import dagster as dg
from psycopg import Connection
from pydantic import Field, PrivateAttr

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.connection import database_at
from openfaith_pipeline.database.opening import check_current
from openfaith_pipeline.defs.dagster_private import check
from openfaith_pipeline.defs.heartbeat import beating
from openfaith_pipeline.defs.run_handle import current_caller
from openfaith_pipeline.defs.storage import database_of, is_ours
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.telemetry.process import Role, telemetry


class DatabaseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The data database: the one that Dagster's storage is in.

    While a run of our own instance uses it, heartbeats go to `sync.run_leases`, so that a run with a dead process is
    detected. In somebody else's instance, whose launcher does not look for them, there are none.
    """

    _database: Database = PrivateAttr()

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["DatabaseResource"]:
        dagsters = current_caller().database or _database_of_ours(check.not_none(context.instance))
        self._database = self._found(dagsters)
        # The launcher looks for beats where Dagster's storage is.
        beat = beating(dagsters, context.run.run_id) if dagsters and context.run else nullcontext()
        with telemetry(self._database.settings, Role.RUN if context.run else Role.CODE_SERVER), beat:
            yield self

    def _found(self, dagsters: Database | None) -> Database:
        if dagsters is None:
            raise ConfigurationError("Dagster's storage is not in our database: set `database_url` to ours")
        return dagsters

    @property
    def database(self) -> Database:
        return self._database

    def connect(self) -> Connection[Any]:
        """A connection whose transaction is committed at the end of its block."""
        return self._database.connect()


class DatabaseElsewhere(DatabaseResource):
    """A data database in somebody's own Dagster, whose storage may be anywhere."""

    url: str = Field(
        default="",
        description="Its URL, as libpq writes it; it may come from the environment by dg.EnvVar."
        " Empty for the one that Dagster's storage is in.",
    )

    def _found(self, dagsters: Database | None) -> Database:
        if not self.url:
            return super()._found(dagsters)
        found = database_at(dagsters.settings if dagsters else load_settings(), self.url)
        check_current(found)
        return found


def _database_of_ours(instance: dg.DagsterInstance) -> Database | None:
    return database_of(instance) if is_ours(instance) else None
