"""The Celery app of a worker, imported only by `celery -A`: it reads the settings on import."""

import os
import socket
from contextlib import ExitStack, suppress
from threading import Thread
from typing import Any, Final

from celery import Celery  # type: ignore[import-untyped]
from celery.signals import worker_ready, worker_shutting_down  # type: ignore[import-untyped]
from celery.worker import state  # type: ignore[import-untyped]
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_execute_job_task
from psycopg import Connection

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.beats import beating_in_thread
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.database.refusals import TROUBLE
from openfaith_pipeline.defs.celery_config import CONFIG, QUEUE, declare_queue
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable
from openfaith_pipeline.load.run_leases import BEAT_EVERY
from openfaith_pipeline.load.run_workers import beat_worker, forget_worker
from openfaith_pipeline.settings import Settings, load_settings

_WHILE_READY: Final = ExitStack()


def make_worker_app() -> Celery:
    """The app for the configured broker; ConfigurationError if there is none."""
    settings = load_settings()
    if settings.celery_broker is None:
        raise ConfigurationError("OPENFAITH_CELERY_BROKER is not set: name the broker, such as redis://host:6379/0")
    url = settings.celery_broker.get_secret_value()
    options = {"broker": url, "config_source": CONFIG, "task_default_queue": QUEUE}
    app: Celery = make_app(options)  # type: ignore[no-untyped-call]
    declare_queue(app)
    create_execute_job_task(app)
    _show_slots(settings)
    return app


def _show_slots(settings: Settings) -> None:
    """Keep Dagster's coordinator informed of this worker's slots, from when it starts to take runs until it stops."""
    name = f"{socket.gethostname()}:{os.getpid()}"

    def begin(sender: Any, **_: Any) -> None:
        database = database_at(settings, configured_url(settings))

        def beat(connection: Connection[Any]) -> None:
            slots = sender.pool.num_processes
            is_listening = sender.connection is not None and sender.connection.connected
            has_room = is_listening and len(state.reserved_requests) < slots
            beat_worker(connection, name, slots=slots, has_room=has_room)

        _WHILE_READY.callback(_forget, database, name)
        _WHILE_READY.enter_context(beating_in_thread(database, beat, every_seconds=BEAT_EVERY.total_seconds()))

    def end(**_: Any) -> None:
        # Celery sends it from a signal handler, which must not wait for a thread.
        Thread(target=_WHILE_READY.close, name="farewell").start()

    worker_ready.connect(begin, weak=False)
    worker_shutting_down.connect(end, weak=False)


def _forget(database: Database, name: str) -> None:
    with suppress(DatabaseUnavailable, *TROUBLE), database.connect() as connection:
        forget_worker(connection, name)


app = make_worker_app()
