"""Dagster as it is deployed: code server, webserver and daemon over a real database, and a simulator to sync from."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr

from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.instance import (
    ProcessSpec,
    code_server,
    daemon,
    open_instance,
    prepare_dagster_home,
    webserver,
)
from openfaith_pipeline.defs.partitions import align_partitions
from openfaith_pipeline.planning_center import PersonalAccessToken
from openfaith_pipeline.settings import environment_with
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline_tests.acceptance.dagster.interfaces import API_KEY, Interfaces
from openfaith_pipeline_tests.acceptance.dagster.processes import Processes, free_port
from openfaith_pipeline_tests.collector import Collector, running_collector
from openfaith_pipeline_tests.verbs import PROGRAM

PEOPLE = 60


@dataclass
class Deployment(Processes, Interfaces):
    """The running processes, and how a person or a program speaks to them."""

    database: Database
    simulator: SimulatorClient
    org_ids: Sequence[str]
    url: str
    collector: Collector

    @property
    def service_port(self) -> int:
        return self.specs["service"].port or 0

    def rows(self, table: str, org_id: str) -> set[str]:
        """Ids of the org's rows in a raw table."""
        with self.database.connect() as connection:
            return {row[0] for row in connection.execute(f"SELECT id FROM {table} WHERE org_id = %s", (org_id,))}  # noqa: S608

    def truth(self, stream: str, org_id: str) -> set[str]:
        """Ids of the records that the simulator has."""
        return {str(record["id"]) for record in self.simulator.truth(org_id, stream)}


@contextmanager
def running_dagster(database: Database, environment: Mapping[str, str], directory: Path) -> Iterator[Deployment]:
    """Everything of it, sixteen made-up churches connected; the processes end with the block."""
    churches = made_up_churches(20, people=PEOPLE)
    with ExitStack() as stack:
        simulator = stack.enter_context(running_simulator(churches))
        collector = stack.enter_context(running_collector())
        settings = database.settings.model_copy(update={"pco_api_url": simulator.url})
        database = replace(database, settings=settings)
        with database.connect() as connection:
            for church in churches:
                token = simulator.credentials(church.org_id)
                credentials = PersonalAccessToken(token.app_id, SecretStr(token.secret))
                add_org(connection, cipher_from(settings), church.org_id, church.name, credentials, adapter="pco")
                # The schedules run, but no church is due: a scheduled sync would disturb the test.
                connection.execute(
                    "INSERT INTO sync.org_schedules (org_id, kind, next_at)"
                    " SELECT %s, kind, now() + interval '1 day' FROM unnest(ARRAY['incremental', 'reconcile']) AS kind",
                    (church.org_id,),
                )
        with open_instance(settings, database) as instance:
            align_partitions(instance, [church.org_id for church in churches])
        found_by = {**environment, **prepare_dagster_home(settings, database), "PCO_API_URL": simulator.url}
        found_by |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_METRIC_EXPORT_INTERVAL": "5000"}
        code_port, web_port = free_port(), free_port()
        specs = (
            code_server(found_by, code_port),
            webserver(found_by, web_port, code_port),
            daemon(found_by, code_port),
            _service(found_by, free_port()),
        )
        deployment = Deployment(
            directory,
            {spec.name: spec for spec in specs},
            database,
            simulator,
            [church.org_id for church in churches],
            f"http://127.0.0.1:{web_port}",
            collector,
        )
        stack.callback(deployment.end)
        for spec in specs:
            deployment.restart(spec.name)
        yield deployment


def _service(environment: Mapping[str, str], port: int) -> ProcessSpec:
    command = (*PROGRAM, "serve", "--port", str(port))
    return ProcessSpec("service", command, environment_with(**environment, OPENFAITH_API_KEYS=f"app:{API_KEY}"), port)
