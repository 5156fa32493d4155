"""The applier's process: started beside the service, restarted when it ends, and stopped with the service."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from openfaith_pipeline.database import Database
from openfaith_pipeline.processes.supervisor import Service, Supervisor

_COMMAND: Final = (sys.executable, "-m", "openfaith_pipeline.service.applier")

_log = logging.getLogger(__name__)


@contextmanager
def applier(database: Database) -> Iterator[None]:
    """Run an applier during the block, with this process's environment. It finishes or abandons its work at the end.

    Answering a delivery takes milliseconds, applying hundreds: in one process answers would wait.
    """
    service = Service("the applier of webhooks", _COMMAND, first_line=database.url)
    with Supervisor(_log.error, gives_up=False) as supervisor:
        supervisor.start(service)
        with supervisor.in_background():
            yield
