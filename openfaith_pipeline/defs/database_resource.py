"""The data database as ops, assets and sensors are given it."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import dagster as dg
from psycopg import Connection
from pydantic import Field, PrivateAttr

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.connection import database_at
from openfaith_pipeline.defs.dagster_private import check
from openfaith_pipeline.defs.heartbeat import beating
from openfaith_pipeline.defs.run_handle import current_caller
from openfaith_pipeline.defs.storage import database_of
from openfaith_pipeline.telemetry.process import Role, telemetry


class DatabaseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The data database: the one that Dagster's storage is in, or another.

    While a run uses it, heartbeats go to `sync.run_leases`, so that a run with a dead process is detected.
    """

    url: str = Field(
        default="",
        description="URL of another data database, as libpq writes it; it may come from the environment by dg.EnvVar."
        " Empty for the one that Dagster's storage is in.",
    )

    _database: Database = PrivateAttr()

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["DatabaseResource"]:
        dagsters = current_caller().database or database_of(check.not_none(context.instance))
        self._database = database_at(dagsters.settings, self.url) if self.url else dagsters
        # The launcher looks for beats where Dagster's storage is.
        beat = beating(dagsters, context.run.run_id) if context.run else nullcontext()
        with telemetry(dagsters.settings, Role.RUN if context.run else Role.CODE_SERVER), beat:
            yield self

    @property
    def database(self) -> Database:
        return self._database

    def connect(self) -> Connection[Any]:
        """A connection whose transaction is committed at the end of its block."""
        return self._database.connect()
