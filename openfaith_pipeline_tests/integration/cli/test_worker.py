"""`worker` reports a wrong broker address before it starts."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from openfaith_pipeline.defs.celery_check import check_broker
from openfaith_pipeline.errors import BrokerUnavailable, ConfigurationError
from openfaith_pipeline_tests.acceptance.dagster.brokers import running_redis
from openfaith_pipeline_tests.acceptance.dagster.processes import free_port

PASSWORD = "pl4nted"


@pytest.fixture
def locked_redis(tmp_path: Path) -> Iterator[str]:
    """The place of a Redis that wants a password."""
    with running_redis(tmp_path) as url:
        program = shutil.which("redis-cli")
        if program is None:
            pytest.skip("redis-cli is not installed (Debian: apt-get install redis-tools)")
        place = url.removeprefix("redis://").removesuffix("/0")
        port = place.rpartition(":")[2]
        subprocess.run([program, "-p", port, "config", "set", "requirepass", PASSWORD], check=True, capture_output=True)
        yield place


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"rabbitmq://user:{PASSWORD}@host//", "rabbitmq:// is neither Redis nor RabbitMQ"),
        (f"sqs://user:{PASSWORD}@host//", "sqs:// is neither Redis nor RabbitMQ"),
        (f"pyamqp://user:{PASSWORD}@host:port//", "not a usable URL"),
    ],
)
def test_an_address_that_cannot_be_one_is_refused(url: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as refused:
        check_broker(url, 60, pytest.fail)
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize("scheme", ["redis", "pyamqp", "amqps"])
def test_a_broker_that_is_not_there_is_waited_for_and_named(scheme: str) -> None:
    said: list[str] = []
    port = free_port()
    with pytest.raises(BrokerUnavailable, match=f"127.0.0.1:{port} does not answer as") as missed:
        check_broker(f"{scheme}://user:{PASSWORD}@127.0.0.1:{port}//", 0.5, said.append)
    assert len(said) == 1
    assert PASSWORD not in str(missed.value) + said[0]


def test_a_login_that_is_refused_is_not_waited_for(locked_redis: str) -> None:
    with pytest.raises(ConfigurationError, match="refuses OPENFAITH_CELERY_BROKER's user, password"):
        check_broker(f"redis://:wrong-{PASSWORD}@{locked_redis}/0", 60, pytest.fail)
    with pytest.raises(ConfigurationError, match="refuses"):
        check_broker(f"redis://{locked_redis}/0", 60, pytest.fail)
    check_broker(f"redis://:{PASSWORD}@{locked_redis}/0", 60, pytest.fail)


def test_another_program_than_the_named_broker(locked_redis: str) -> None:
    with pytest.raises(BrokerUnavailable, match="does not answer as RabbitMQ"):
        check_broker(f"pyamqp://guest:guest@{locked_redis}//", 0, pytest.fail)
