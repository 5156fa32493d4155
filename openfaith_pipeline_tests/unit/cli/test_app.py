"""How an error becomes a message and an exit code."""

import json
import os
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from openfaith_pipeline.cli import app as module
from openfaith_pipeline.errors import ConnectionRejected, OpenFaithError, UnknownOrg


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UnknownOrg("no such org"), 2, "no such org"),
        (ConnectionRejected("refused"), 1, "refused"),
        (psycopg.OperationalError("the server closed the connection"), 1, "the database does not answer"),
        (PermissionError(13, "Permission denied", "/etc/thing"), 1, "/etc/thing: Permission denied"),
    ],
    ids=["usage", "failure", "database", "file"],
)
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_an_error_is_reported_in_words(
    error: Exception,
    code: int,
    message: str,
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(module, "app", lambda **_: fail())
    with pytest.raises(SystemExit) as ended:
        module.run(["catalog", *options])

    shown = capsys.readouterr()
    assert ended.value.code == code
    assert f"error: {message}" in shown.err
    if options:
        assert message in json.loads(shown.out)["error"]["message"]
    else:
        assert shown.out == ""


def test_a_fault_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise KeyError("bug")

    monkeypatch.setattr(module, "app", fail)
    with pytest.raises(KeyError):
        module.run(["catalog"])
    assert not issubclass(KeyError, OpenFaithError)


def test_help_is_in_whole_sentences_and_names_no_types_of_python() -> None:
    shown = {
        verb: CliRunner().invoke(module.app, [*verb.split(), "--help"]).stdout for verb in ("", "syncs list", "sync")
    }
    assert "..." not in shown[""].split("Begin:")[1]
    assert "  -n, --limit N  How many, the newest first." in shown["syncs list"]
    assert "  ORG  The orgs, each by its id" in shown["sync"]
    assert "--mode <incremental|reconcile|full_refresh>" in shown["sync"]
    assert "--if-busy <refuse|wait|join>" in shown["sync"]


def test_a_variable_of_a_library_in_the_file_reaches_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "")  # so that it is as before in the end
    (tmp_path / "settings.env").write_text("OTEL_TRACES_EXPORTER=zipkin\n")
    monkeypatch.setenv("OPENFAITH_ENV_FILE", str(tmp_path / "settings.env"))
    module.app(["catalog", "--stream", "people.emails", "--json"], standalone_mode=False)

    assert json.loads(capsys.readouterr().out)
    assert os.environ["OTEL_TRACES_EXPORTER"] == "zipkin"


def test_a_variable_that_nothing_reads_is_named_with_the_likeliest_one_and_without_its_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENFAITH_FRESHNES_HOURS", "pl4nted")
    monkeypatch.setenv("OPENFAITH_ZZZ", "pl4nted")
    monkeypatch.setenv("OPENFAITH_FRESHNESS_HOURS", "12")
    monkeypatch.setenv("OPENFAITH_DATABASE_URL", "postgresql://")

    module.app(["catalog", "--stream", "people.emails", "--json"], standalone_mode=False)

    shown = capsys.readouterr()
    assert json.loads(shown.out)
    assert shown.err.splitlines() == [
        "OPENFAITH_FRESHNES_HOURS is no setting and is ignored; is OPENFAITH_FRESHNESS_HOURS meant?",
        "OPENFAITH_ZZZ is no setting and is ignored",
    ]
