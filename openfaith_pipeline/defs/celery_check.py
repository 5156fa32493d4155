"""Whether a worker can work with the broker's address, said before Celery begins to try for ever."""

import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from amqp.exceptions import AccessRefused, NotAllowed  # type: ignore[import-untyped]
from kombu.connection import Connection
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from openfaith_pipeline.errors import BrokerUnavailable, ConfigurationError

EXAMPLES: Final = "redis://host:6379/0 or, for RabbitMQ, pyamqp://user:password@host//"
_CONNECT_SECONDS: Final = 5
_AGAIN_SECONDS: Final = 1.0
_REFUSALS: Final = (AccessRefused, NotAllowed, AuthenticationError, NoPermissionError, ResponseError)
_KINDS: Final = {"redis": "Redis", "rediss": "Redis", "amqp": "RabbitMQ", "amqps": "RabbitMQ", "pyamqp": "RabbitMQ"}


def check_broker(url: str, wait_seconds: float, say: Callable[[str], None]) -> None:
    """Connect to the broker once.

    Raises ConfigurationError if waiting will not help: an unknown scheme, a refused login; BrokerUnavailable
    if it does not answer within `wait_seconds`. `say` is called once if it has to wait.
    """
    _check_scheme(url)
    deadline = time.monotonic() + wait_seconds
    is_said = False
    while True:
        try:
            _connect(url)
        except BrokerUnavailable as error:
            if wait_seconds and not is_said:
                say(f"waiting up to {wait_seconds:.0f} s: {error}")
            is_said = True
            if time.monotonic() >= deadline:
                raise
            time.sleep(_AGAIN_SECONDS)
        else:
            return


def _check_scheme(url: str) -> None:
    scheme = urlsplit(url).scheme
    if scheme not in _KINDS:
        raise ConfigurationError(f"OPENFAITH_CELERY_BROKER: {scheme}:// is neither Redis nor RabbitMQ; name {EXAMPLES}")
    try:
        Connection(url)  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise ConfigurationError(f"OPENFAITH_CELERY_BROKER is not a usable URL: {error}") from None


def _connect(url: str) -> None:
    place = _place_of(url)
    try:
        with Connection(url, connect_timeout=_CONNECT_SECONDS) as connection:  # type: ignore[no-untyped-call]
            connection.connect()
    except _REFUSALS as error:
        raise ConfigurationError(
            f"the broker at {place} refuses OPENFAITH_CELERY_BROKER's user, password, virtual host or database:"
            f" {_in_short(error)}"
        ) from None
    except Exception as error:  # noqa: BLE001 - each driver has errors of its own
        raise BrokerUnavailable(
            f"the broker at {place} does not answer as {_KINDS[urlsplit(url).scheme]}: {_in_short(error)}"
        ) from None


def _place_of(url: str) -> str:
    """Host and port, never the password."""
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    return f"{host}:{parts.port}" if parts.port else host


def _in_short(error: Exception) -> str:
    cause = error.__cause__ if not str(error) and error.__cause__ else error
    return " ".join(str(cause).split()) or type(cause).__name__
