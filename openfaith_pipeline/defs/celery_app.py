"""The Celery app of a worker, imported only by `celery -A`: it reads the settings on import."""

from typing import Final

from celery import Celery  # type: ignore[import-untyped]
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_execute_job_task

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.settings import load_settings

CONFIG: Final = {
    "broker_connection_retry_on_startup": True,
    "worker_prefetch_multiplier": 1,  # the first free worker takes a waiting run
    "task_serializer": "json",
    "accept_content": ["json"],
}


def make_worker_app() -> Celery:
    """The app for the configured broker; ConfigurationError if there is none."""
    broker = load_settings().celery_broker
    if broker is None:
        raise ConfigurationError("OPENFAITH_CELERY_BROKER is not set: name the broker, such as redis://host:6379/0")
    url = broker.get_secret_value()
    options = {"broker": url, "backend": url, "config_source": CONFIG, "task_default_queue": "dagster"}
    app: Celery = make_app(options)  # type: ignore[no-untyped-call]
    create_execute_job_task(app)
    return app


app = make_worker_app()
