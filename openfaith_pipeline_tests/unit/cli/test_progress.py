"""The progress display of a running sync."""

import io

from rich.console import Console

from openfaith_pipeline.cli.outlook import Outlook, outlook_in_words
from openfaith_pipeline.cli.progress import LiveProgress, PlainProgress, describe_result
from openfaith_pipeline.sync.results import StreamResult


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_plain_progress_says_at_most_one_line_for_a_stream_every_few_seconds() -> None:
    clock, lines = Clock(), list[str]()
    progress = PlainProgress(lines.append, clock)

    for _ in range(22):
        progress.page("people.people", fetched=100, requests=1, waited_seconds=0.0)
        progress.page("people.emails", fetched=10, requests=1, waited_seconds=0.5)
        clock.now += 0.5

    assert lines == [
        "people.people: 1,100 rows, 11 requests so far",
        "people.emails: 110 rows, 11 requests so far, 5.5 s waited for the rate limit",
        "people.people: 2,100 rows, 21 requests so far",
        "people.emails: 210 rows, 21 requests so far, 10 s waited for the rate limit",
    ]


def test_a_finished_stream_is_said_once_and_counts_anew_next_time() -> None:
    clock, lines = Clock(), list[str]()
    progress = PlainProgress(lines.append, clock)

    progress.page("people.tabs", fetched=3, requests=1, waited_seconds=0.0)
    progress.finished(StreamResult("people.tabs", "succeeded", "incremental", fetched=3, inserted=3, requests=1))
    clock.now += 60
    progress.page("people.tabs", fetched=3, requests=1, waited_seconds=0.0)

    assert lines == ["people.tabs: 3 rows, 3 new, 1 request, 0.0 s"]


def test_live_progress_shows_running_streams_and_drops_finished_ones() -> None:
    clock, shown = Clock(), io.StringIO()
    console = Console(file=shown, width=100, force_terminal=False)
    progress = LiveProgress(console, clock, is_verbose=True)

    progress.page("people.people", fetched=100, requests=1, waited_seconds=0.0)
    progress.page("people.people", fetched=100, requests=1, waited_seconds=2.5)
    progress.page("people.tabs", fetched=3, requests=1, waited_seconds=0.0)
    progress.finished(StreamResult("people.tabs", "succeeded", "incremental", fetched=3, requests=1, seconds=0.2))
    clock.now += 12
    console.print(progress)

    assert [line.split() for line in shown.getvalue().splitlines()] == [
        ["•", "people.tabs:", "3", "rows,", "nothing", "new,", "1", "request,", "0.2", "s"],
        ["syncing", "rows", "requests", "waited", "for"],
        ["people.people", "200", "2", "2.5", "s", "12", "s"],
        ["working", "for", "12", "s"],
    ]


def test_live_progress_keeps_to_a_few_lines_and_says_that_it_works() -> None:
    clock, shown = Clock(), io.StringIO()
    console = Console(file=shown, width=100, force_terminal=False)
    progress = LiveProgress(console, clock)
    clock.now += 3
    console.print(progress)
    for number in range(20):
        progress.page(f"people.stream{number}", fetched=1, requests=1, waited_seconds=0.0)
    console.print(progress)

    lines = [line.rstrip() for line in shown.getvalue().splitlines()]
    assert lines[0] == "working for 3.0 s"
    assert len(lines) == 1 + 1 + 5 + 2
    assert lines[-2:] == ["and 15 streams more", "working for 3.0 s"]


def test_a_quiet_sync_says_only_how_far_it_is() -> None:
    clock, shown = Clock(), io.StringIO()
    console = Console(file=shown, width=140, force_terminal=False)
    progress = LiveProgress(console, clock)
    progress.finished(StreamResult("people.tabs", "succeeded", "incremental", fetched=3))
    progress.outlook = Outlook(74, 236, 4312, 120, 0.451, 130.0)
    console.print(progress)

    assert "people.tabs" not in shown.getvalue()
    line = shown.getvalue().strip("━╸╺ \n")
    assert line == "45%, about 2 min left: 74 of 236 streams, 4,312 rows, 120 requests; working for 0.0 s"
    assert outlook_in_words(Outlook(1, 2, 3, 4, 0.999, 2.0)).startswith("99%, about 2 s left: ")
    assert outlook_in_words(Outlook(1, 2, 3, 4, None, None)) == "1 of 2 streams, 3 rows, 4 requests"


def test_a_failure_is_reported_with_its_reason() -> None:
    failed = StreamResult("people.lists", "failed", "incremental", error="the API answered 500 five times")

    assert describe_result(failed) == "people.lists: failed (the API answered 500 five times)"
