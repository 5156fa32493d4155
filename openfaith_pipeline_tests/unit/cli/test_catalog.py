"""`catalog` shows the streams, and the columns of those that are named."""

import json
from typing import Any

from typer.testing import CliRunner

from openfaith_pipeline.catalog.words import describe_columns
from openfaith_pipeline.cli.app import app
from openfaith_pipeline.sources import STREAMS


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["catalog", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def document(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(shown(*arguments, "--json"))
    return found


def test_all_streams_are_listed_with_their_records() -> None:
    lines = shown().splitlines()
    assert len(lines) == len(STREAMS) + 1
    assert any(line.startswith("people.emails") and "Email addresses of people" in line for line in lines)


def test_a_stream_is_shown_with_its_columns() -> None:
    lines = shown("--stream", "people.emails").splitlines()
    assert lines[0] == "pco_people.emails: Email addresses of people (incremental, /people/v2/emails)"
    (address,) = [line.split() for line in lines if line.startswith("address")]
    assert address == ["address", "text", "personal", "The", "email", "address"]
    assert len(lines) == 2 + len(describe_columns(STREAMS["people.emails"]))


def test_json_has_every_column_with_its_words_and_mark() -> None:
    (emails,) = document("--stream", "people.emails")
    assert emails["description"] == "Email addresses of people"
    columns = {each["column"]: each for each in emails["columns"]}
    assert columns["address"] == {
        "column": "address",
        "type": "text",
        "holds": "personal",
        "description": "The email address",
    }
    assert columns["created_at"]["holds"] is None
    assert {each["stream"] for each in document("--product", "api")} == {
        "api.organization",
        "api.connected_applications",
        "api.connected_application_people",
    }
    assert sum(len(each["columns"]) for each in document()) > sum(len(stream.columns) for stream in STREAMS.values())
