"""The applier's process: started beside the service, started again when it ends, and gone when the service is."""

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
    """Have one run for the block, with this process's environment. What it has begun then it ends, or leaves to others.

    Answering a delivery takes milliseconds and applying hundreds: in one process the ones would wait for the others.
    """
    service = Service("the applier of webhooks", _COMMAND, first_line=database.url)
    with Supervisor(_log.error, gives_up=False) as supervisor:
        supervisor.start(service)
        with supervisor.in_background():
            yield
