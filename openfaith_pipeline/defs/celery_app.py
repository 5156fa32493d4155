"""The Celery app of a worker, imported by nothing but `celery -A`: it reads the settings when it is imported."""

from typing import Final

from celery import Celery  # type: ignore[import-untyped]
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_execute_job_task

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.settings import load_settings

CONFIG: Final = {
    "broker_connection_retry_on_startup": True,
    "worker_prefetch_multiplier": 1,  # a run that waits is to be taken by the first worker that is free
    "task_serializer": "json",
    "accept_content": ["json"],
}


def make_worker_app() -> Celery:
    """The app over the broker of the settings; ConfigurationError when none is set."""
    broker = load_settings().celery_broker
    if broker is None:
        raise ConfigurationError("OPENFAITH_CELERY_BROKER is not set: name the broker, such as redis://host:6379/0")
    url = broker.get_secret_value()
    options = {"broker": url, "backend": url, "config_source": CONFIG, "task_default_queue": "dagster"}
    app: Celery = make_app(options)  # type: ignore[no-untyped-call]
    create_execute_job_task(app)
    return app


app = make_worker_app()
