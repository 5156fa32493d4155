"""No text from outside commands a terminal, a log or a message."""

import io
import json
import sys

import pytest

from openfaith_pipeline.alerts.delivery import subject_of
from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.progress import LiveProgress, PlainProgress, shown_progress
from openfaith_pipeline.database.connection import database_at
from openfaith_pipeline.errors import OpenFaithError, RateLimitedError
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.sync.results import StreamResult
from openfaith_pipeline.text.printable import printable, printable_json

HOSTILE = "Église\x1b[2J\x1b]0;owned\x07 \r\nerror: forged\x9b31m \u202eevil\u2066\u2028🎉 \u200d\ud83d"
COMMANDS = [character for character in HOSTILE if not character.isprintable() and character != "\u200d"]


def _is_clean(text: str) -> bool:
    return not any(character in text for character in COMMANDS if character != "\n")


def test_a_line_stays_a_line_and_commands_nothing() -> None:
    assert (
        printable(HOSTILE)
        == "Église\ufffd[2J\ufffd]0;owned\ufffd  error: forged\ufffd31m \ufffdevil\ufffd 🎉 \u200d\ufffd"
    )
    assert printable("Église 🎉 家庭 كنيسة 👨‍👩‍👧") == "Église 🎉 家庭 كنيسة 👨‍👩‍👧"


def test_json_means_the_same_and_commands_nothing() -> None:
    name = HOSTILE.removesuffix("\ud83d")
    document = json.dumps({"name": name}, ensure_ascii=False)
    assert json.loads(printable_json(document)) == {"name": name}
    assert _is_clean(printable_json(document))


def test_every_error_of_ours_is_clean() -> None:
    assert str(OpenFaithError(HOSTILE)) == printable(HOSTILE)
    assert str(RateLimitedError(HOSTILE, None)) == printable(HOSTILE)


def test_alerts_are_clean() -> None:
    assert subject_of({"kind": "run_failed", "org_name": HOSTILE, "org_id": "org_1"}) == (
        f"run failed: {printable(HOSTILE)} (org_1)"
    )


def test_whatever_the_command_line_prints_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say(HOSTILE)
    terminal.complain(HOSTILE)
    terminal.report(HOSTILE)
    terminal.output().print(HOSTILE, markup=False)
    terminal.output().print(terminal.table(("name",), [[HOSTILE]], title=HOSTILE))
    terminal.print_json({"name": HOSTILE.removesuffix("\ud83d")})
    failed = StreamResult("people.people", "failed", "incremental", error=HOSTILE)
    LiveProgress(terminal.messages(), is_verbose=True).finished(failed)
    PlainProgress(terminal.say).finished(failed)
    database = database_at(Settings(), "postgresql://nowhere")
    with shown_progress(database, {"org_1": HOSTILE, "org_2": "Amber"}, is_verbose=True) as shown_as:
        shown_as.of("org_1").finished(failed)
    shown = capsys.readouterr()

    assert _is_clean(shown.out + shown.err)
    assert [line for line in shown.err.splitlines() if line.startswith("error: forged")] == []
    assert shown.out.count("forged") == 5


def test_a_terminals_own_styles_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    terminal.complain(HOSTILE)

    assert written.getvalue().startswith("\x1b[")
    assert "\x1b[2J" not in written.getvalue()
    assert "\x1b]" not in written.getvalue()


def test_characters_that_an_encoding_lacks_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict", write_through=True)
    monkeypatch.setattr(sys, "stdout", narrow)
    terminal.allow_any_text()
    terminal.report("connected org_1 (Église 🎉)")

    assert narrow.buffer.getvalue() == b"connected org_1 (?glise ?)\n"  # type: ignore[attr-defined]
