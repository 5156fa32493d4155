"""`sync` selects streams from its arguments and reports the results."""

import io

import pytest
from rich.console import Console

from openfaith_pipeline.cli.selection import choose_streams
from openfaith_pipeline.cli.sync_report import complain_of_failures, describe_sync, summarize, tabulate_report
from openfaith_pipeline.defs.reports import OrgReport
from openfaith_pipeline.errors import UnknownStream
from openfaith_pipeline.orgs.registry import Org
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import StreamResult
from openfaith_pipeline.transform import TransformResult

ORG = "org_01k5t0w2m1e9qv4y8z3n7b6c5d"


def report(*results: StreamResult, status: str = "succeeded", error: str | None = None) -> OrgReport:
    return OrgReport(ORG, "run-1", status, {result.stream: result for result in results}, {}, error)


def result(stream: str, status: str = "succeeded", **more: object) -> StreamResult:
    return StreamResult(stream, status, "incremental", **more)  # type: ignore[arg-type]


def test_streams_are_those_of_the_products_and_those_named() -> None:
    people = [stream.name for stream in choose_streams([Product.PEOPLE], [])]

    assert "people.emails" in people
    assert all(name.startswith("people.") for name in people)
    assert [stream.name for stream in choose_streams([], ["people.tabs", "people.emails"])] == [
        name for name in STREAMS if name in {"people.tabs", "people.emails"}
    ]
    assert len(choose_streams([], [])) == len(STREAMS)


def test_an_unknown_stream_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownStream, match=r"did you mean people\.emails"):
        choose_streams([], ["people.email"])
    with pytest.raises(UnknownStream, match="people is a product: --product people"):
        choose_streams([], ["people"])


@pytest.mark.parametrize(
    ("reports", "code", "said"),
    [
        ([report(result("people.tabs"))], 0, ""),
        (
            [report(result("people.tabs", "failed", error="it broke"), status="failed", error="people.tabs failed")],
            1,
            f"error: {ORG}: people.tabs failed: it broke\n",
        ),
        ([report(result("people.tabs", "incomplete", error="3 of 4"), status="failed")], 1, "incomplete: 3 of 4\n"),
        ([report(status="failed", error="the token is refused")], 1, f"error: {ORG}: failed: the token is refused\n"),
        ([report(status="canceled")], 1, f"error: {ORG}: canceled: its process ended without an error message\n"),
        (
            [report(result("people.tabs"), result("people.lists", "unavailable", error="not granted"))],
            0,
            f"{ORG}: people.lists is unavailable: not granted\n",
        ),
        ([report(result("people.lists", "unavailable", error="not granted"))], 1, "is unavailable"),
        (
            [report(result("groups.groups", "withheld", error="silent"))],
            0,
            "groups.groups is withheld: silent\n",
        ),
    ],
    ids=["good", "failed", "incomplete", "refused", "canceled", "partly withheld", "all withheld", "silent"],
)
def test_unfinished_streams_are_named_and_decide_the_exit_code(
    reports: list[OrgReport], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert complain_of_failures({each.org_id: each for each in reports}) == code
    assert said in capsys.readouterr().err


def test_the_document_names_the_run_of_one_org_and_of_each_of_several() -> None:
    one = describe_sync("sync-1", {ORG: report(result("people.tabs", inserted=2))})
    assert (one["sync_id"], one["run_id"]) == ("sync-1", "run-1")
    tabs = one["orgs"][ORG]["streams"]["people.tabs"]
    assert (tabs["status"], tabs["inserted"], "stream" in tabs) == ("succeeded", 2, False)

    several = describe_sync("sync-1", {ORG: report(), "org_other": report()})
    assert several["run_id"] is None
    assert several["orgs"]["org_other"]["run_id"] == "run-1"


def test_the_table_has_a_row_for_each_stream_that_has_records() -> None:
    full = result("people.tabs", row_count=3, inserted=3, requests=1, seconds=2.0, waited_seconds=5.0)
    shown = io.StringIO()
    org = Org(ORG, "Grace [x]", None)
    Console(file=shown, width=120).print(tabulate_report(org, report(full, result("people.lists", row_count=0))))

    lines = [line.split() for line in shown.getvalue().splitlines()]
    assert lines[0][:2] == ["Grace", "[x]"]
    assert lines[0][-6:] == ["1", "stream", "without", "records", "left", "out"]
    assert lines[2] == ["people.tabs", "3", "3", "0", "0", "0", "1", "2.0", "s", "2.0", "s"]


def test_the_end_is_a_line_of_rows_read_and_one_of_rows_there() -> None:
    read = result("people.tabs", fetched=30, inserted=3, updated=1, requests=2)
    failed = result("people.lists", "failed", requests=1)
    tables = {name: TransformResult(name, 1, 0, 0, count) for name, count in (("edges", 9), ("people", 1200))}
    ended = OrgReport(ORG, "run-1", "failed", {each.stream: each for each in (read, failed)}, tables)

    assert summarize(Org(ORG, "Grace", None), ended) == [
        f"Grace ({ORG}): failed: 30 rows of 1 stream read, 3 new, 1 changed in people.tabs; 3 requests",
        "  in OpenFaith's tables: 1,200 people, 9 edges",
    ]


def test_where_few_streams_have_changes_they_are_named() -> None:
    """The second sync after `dev` shows new rows in a church without changes: its webhook subscriptions."""
    quiet = result("people.people", fetched=40, unchanged=40)
    subscribed = result("webhooks.webhook_subscriptions", fetched=93, inserted=89)
    busy = [result(f"people.{name}", inserted=1) for name in ("tabs", "lists", "emails")]

    [line] = summarize(Org(ORG, "Grace", None), report(quiet, subscribed))
    assert "succeeded: 133 rows of 2 streams read, 89 new in webhooks.webhook_subscriptions; 0 requests" in line
    [line] = summarize(Org(ORG, "Grace", None), report(quiet, subscribed, *busy))
    assert "5 streams read, 92 new; 0 requests" in line
