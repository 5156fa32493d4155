"""Every operation of the OpenAPI document, called by schemathesis with valid and with invalid input."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from pydantic import SecretStr
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from openfaith_pipeline.database import Database
from openfaith_pipeline.service import workflow_proxy
from openfaith_pipeline.service.app import create_app
from openfaith_pipeline.settings import Settings
from openfaith_pipeline_tests.adversary.conftest import subscribe_both
from openfaith_pipeline_tests.integration.webhooks.receiver import running_service

EXAMPLES: Final = 4
"""Of each operation, with valid data and with invalid."""
HELD_TO: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
KEY: Final = "whole-api-key"


@contextmanager
def ending_requests(database: Database) -> Iterator[None]:
    """End every request at once, because some operations wait for the end."""
    is_over = threading.Event()

    def end() -> None:
        with database.connect(autocommit=True) as connection:
            while not is_over.wait(0.05):
                connection.execute(
                    "UPDATE sync.requests SET status = 'succeeded', finished_at = now() WHERE finished_at IS NULL"
                )

    thread = threading.Thread(target=end, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(10)


def test_no_operation_fails_whatever_it_is_sent(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow_proxy, "_LOOK_SECONDS", 0.05)
    open_to_all = settings.model_copy(update={"api_keys": (SecretStr(KEY),), "requests_per_minute": 1_000_000})
    with running_service(open_to_all) as database, ending_requests(database):
        subscribe_both(database)
        load_all_checks()
        schema = schemathesis.openapi.from_dict(create_app(database).openapi())
        operations = [found.ok() for found in schema.get_all_operations()]
        assert len(operations) >= 20
        for operation in operations:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                call_often(operation, mode, str(database.settings.public_url))


def call_often(operation: Any, mode: GenerationMode, url: str) -> None:
    @hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode))
    def call(case: schemathesis.Case) -> None:
        headers = {**(case.headers or {}), "Authorization": f"Bearer {KEY}"}
        response = case.call(base_url=url, headers=headers, timeout=120)
        case.validate_response(response, checks=CHECKS.get_by_names(HELD_TO))

    with suppress(Unsatisfiable):  # of an operation that takes nothing, nothing can be invalid
        call()


def test_every_reference_of_the_document_is_to_a_part_of_it(database: Database) -> None:
    document = create_app(database).openapi()
    left, references = [document], []
    while left:
        part: Any = left.pop()
        if isinstance(part, dict):
            references += [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            left += part.values()
        elif isinstance(part, list):
            left += part
    assert references
    for reference in references:
        found: Any = document
        for name in reference.removeprefix("#/").split("/"):
            found = found[name]
    assert set(document["components"]["securitySchemes"]) == {"basic", "bearer", "header", "signature"}
    unguarded = {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if not operation.get("security")
    }
    assert unguarded == {"/health", "/health/ready"}
