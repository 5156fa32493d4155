"""How numbers, times and tables are written."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from openfaith_pipeline.cli import terminal


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (12.4, "12 s"), (119, "119 s"), (200, "3 min 20 s"), (3599.9, "60 min 0 s")],
)
def test_a_duration_is_as_exact_as_it_is_short(seconds: float, written: str) -> None:
    assert terminal.duration(seconds) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(-3, "0 s"), (40, "40 s"), (119, "119 s"), (200, "3 min"), (9000, "2 h"), (200_000, "2 days")],
)
def test_an_estimate_is_short(seconds: float, written: str) -> None:
    assert terminal.rough_duration(seconds) == written


def test_a_narrow_terminal_loses_columns_and_no_part_of_an_id() -> None:
    ids = ["org_01k5t0w2m1e9qv4y8z3n7b6c5d", "org_01k5t0w2m1e9qv4y8z3n7b6c5e"]
    rows = [[each, "Cedar Hollow Chapel of the Valley", "2026-01-01 10:00 UTC", "1,234"] for each in ids]
    listing = terminal.table(("org", "name", "seen", "rows"), rows, numbers=("rows",), first_to_go=("seen", "name"))
    for width, left_out in ((120, ""), (80, "seen"), (40, "name, seen"), (10, "name, seen")):
        shown = io.StringIO()
        Console(file=shown, width=width).print(listing, crop=False)

        assert all(each in shown.getvalue() for each in ids), width
        assert shown.getvalue().count("1,234") == 2
        assert " ".join(shown.getvalue().split()).count(f"room: {left_out};") == bool(left_out)


def test_a_number_has_its_noun() -> None:
    assert [terminal.number_of(number, "row") for number in (0, 1, 1200)] == ["0 rows", "1 row", "1,200 rows"]


def test_printed_text_is_not_taken_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say("[bold]Grace[/bold] [link]")
    terminal.output().print(terminal.table(("name",), [["[red]Grace"]]))

    shown = capsys.readouterr()
    assert shown.err == "[bold]Grace[/bold] [link]\n"
    assert "[red]Grace" in shown.out


def test_json_is_one_document_with_times_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_json({"at": datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)})

    assert capsys.readouterr().out == '{\n  "at": "2030-01-02T03:04:05Z"\n}\n'


def test_a_small_column_stays_where_leaving_out_a_wide_one_makes_room_for_it() -> None:
    rows = [["org_01k5t0w2m1e9qv4y8z3n7b6c5d", "2026-01-01 10:00 UTC, 3 min ago", "12", "1 alert"]]
    columns = ("org", "last success", "streams", "")
    listing = terminal.table(columns, rows, numbers=("streams",), first_to_go=("streams", "", "last success"))
    shown = {}
    for width in (56, 42, 34):
        out = io.StringIO()
        Console(file=out, width=width).print(listing, crop=False)
        shown[width] = " ".join(out.getvalue().split())

    assert "ago" in shown[56] and "room: streams, remarks;" in shown[56]
    assert "1 alert" in shown[42] and "room: last success, streams;" in shown[42]
    assert "room: last success, streams, remarks;" in shown[34]


def test_a_user_without_a_name_is_known_by_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container with a user that the cluster has chosen and the image does not know."""
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 1_234_567)
    assert terminal.who() == "uid 1234567"
