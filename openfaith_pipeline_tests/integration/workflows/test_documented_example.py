"""The workflow of docs/adding-a-workflow.md, taken from the page and carried out; and the stream of the other page."""

import re
from pathlib import Path
from types import ModuleType

import pytest

import openfaith_pipeline
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database import Database
from openfaith_pipeline.inbox.requests import get_request
from openfaith_pipeline.orgs.registry import get_org
from openfaith_pipeline.planning_center.streams import people
from openfaith_pipeline.workflows import execution as engine
from openfaith_pipeline.workflows.definition import ActivityFailed, Workflow
from openfaith_pipeline.workflows.execution import Executor
from openfaith_pipeline.workflows.submission import ask_for, read_payload
from openfaith_pipeline_tests.integration.inbox.conftest import connected_org

PACKAGE = Path(openfaith_pipeline.__file__).parent
DOCS = PACKAGE.parent / "docs"


def block(page: str, language: str) -> str:
    """The first block of the language on the page."""
    found = re.search(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert found, f"{page} has no {language}"
    return found[1]


@pytest.fixture
def workflow(monkeypatch: pytest.MonkeyPatch) -> Workflow:
    module = ModuleType("rest_org")
    exec(block("adding-a-workflow.md", "python"), module.__dict__)  # noqa: S102 - our own page
    monkeypatch.setattr(engine, "get_workflow", lambda _: module.REST_ORG)
    return module.REST_ORG


def ask(database: Database, workflow: Workflow, org_id: str, reason: str) -> Executor:
    payload = read_payload(workflow, {"orgId": org_id, "reason": reason})
    with database.connect() as connection:
        request, _ = ask_for(connection, workflow, payload, trigger="api")
        assert get_request(connection, request.request_id).workflow == "RestOrgWorkflow"
    return Executor(database, request.request_id)


def is_paused(database: Database, org_id: str) -> bool:
    with database.connect() as connection:
        return get_org(connection, org_id).paused_at is not None


def test_the_workflow_of_the_page_does_as_it_says(database: Database, workflow: Workflow) -> None:
    org_id = connected_org(database)
    executor = ask(database, workflow, org_id, "moving house")
    executor.run("pause")
    assert is_paused(database, org_id)
    assert executor.run("note_reason") == {"reason": "moving house"}


def test_and_is_undone_where_it_says(database: Database, workflow: Workflow) -> None:
    org_id = connected_org(database)
    executor = ask(database, workflow, org_id, "no reason")
    executor.run("pause")
    with pytest.raises(ActivityFailed, match="a reason is asked for"):
        executor.run("note_reason")
    assert not is_paused(database, org_id)


def test_it_is_registered_where_the_page_says() -> None:
    registry = (PACKAGE / "workflows" / "registry.py").read_text()
    lines = block("adding-a-workflow.md", "diff").splitlines()
    assert any(line.startswith("+") for line in lines)
    assert [line for line in lines if not line.startswith("+") and line[1:] not in registry] == []


def test_the_stream_of_the_page_is_a_stream() -> None:
    declared = dict(vars(people))
    exec(block("adding-a-stream.md", "python"), declared)  # noqa: S102 - our own page
    assert isinstance(declared["PETS"], Stream)
    assert declared["PETS"].name == "people.pets"
