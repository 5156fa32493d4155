"""Configuration of runs sent through a broker, the same for senders and workers."""

from typing import Any, Final

from celery import Celery  # type: ignore[import-untyped]
from kombu.entity import Queue

QUEUE: Final = "dagster"
LONGEST_RUN_SECONDS: Final = 7 * 3600
"""Longer than the longest run that dagster.yaml lets go on."""

CONFIG: Final[dict[str, Any]] = {
    "broker_connection_retry_on_startup": True,
    "broker_connection_timeout": 10,
    # A message is acknowledged when its run has ended, and a worker is given no more than it has slots: those that
    # were acknowledged at their beginning would let the worker hold back as many again that wait. A message that comes
    # a second time because a worker is gone does no harm: Dagster ignores it once the run has started.
    "task_acks_late": True,
    "worker_prefetch_multiplier": 1,
    "worker_cancel_long_running_tasks_on_connection_loss": False,  # a run no longer needs the broker
    "broker_transport_options": {
        "visibility_timeout": LONGEST_RUN_SECONDS,  # of Redis
        "max_retries": 3,
        "interval_start": 0,
        "interval_step": 0.2,
        "interval_max": 0.5,
    },
    # A run's end stands in Dagster's storage: nobody reads it from the broker.
    "task_ignore_result": True,
    "worker_redirect_stdouts": False,  # the log of a run has levels of its own; Celery would call each line a warning
    "task_serializer": "json",
    "accept_content": ["json"],
}


def declare_queue(app: Celery) -> None:
    """Declare Dagster's queue so that RabbitMQ (3.12 and newer) waits for an acknowledgement as long as a run takes."""
    arguments = {"x-max-priority": 10, "x-consumer-timeout": LONGEST_RUN_SECONDS * 1000}
    queue = Queue(QUEUE, routing_key=f"{QUEUE}.#", queue_arguments=arguments)  # type: ignore[no-untyped-call]
    app.conf.task_queues = [queue]
