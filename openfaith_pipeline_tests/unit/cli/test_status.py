"""The streams that `status ORG` shows."""

from typing import Any

import pytest

from openfaith_pipeline.cli.status import _print_detail
from openfaith_pipeline.orgs.health import Health
from openfaith_pipeline.orgs.registry import Org
from openfaith_pipeline.orgs.status import OrgStatus, StreamStatus

ORG = "org_01k5t0w2m1e9qv4y8z3n7b6c5d"


def stream(name: str, status: str = "failed", error: str | None = "nothing answers", rows: int = 0) -> StreamStatus:
    nothing: dict[str, Any] = dict.fromkeys(
        ("availability_reason", "watermark", "last_succeeded_at", "last_full_at", "sync_id", "started_at")
    )
    return StreamStatus(
        **nothing,
        org_id=ORG,
        stream=name,
        availability="available",
        row_count=rows,
        parentless=0,
        status=status,
        mode="incremental",
        finished_at=None,
        error=error,
        quarantined=0,
        held=0,
        drift=[],
    )


def test_streams_that_fail_for_one_reason_are_shown_thrice_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    alike = [stream(f"people.a{number}") for number in range(9)]
    others = [stream("people.other", error="500"), *(stream(f"people.w{n}", "succeeded", None, 5) for n in range(5))]
    status = OrgStatus(Org(ORG, "Grace", None), Health("connected", None, (), 0), (*alike, *others))

    _print_detail(status, everything=False)
    shown = capsys.readouterr()
    assert (shown.out.count("nothing answers"), shown.out.count("500")) == (3, 1)
    assert shown.out.count("people.w") == 5
    assert "6 streams more with the same result and reason as 3 of these left out; --all shows them" in shown.err

    _print_detail(status, everything=True)
    assert capsys.readouterr().out.count("nothing answers") == 9


def test_a_church_in_which_no_stream_fails_is_not_one_that_was_never_synced(capsys: pytest.CaptureFixture[str]) -> None:
    well, failing = stream("people.well", "succeeded", None, 5), stream("people.bad")
    told = []
    for streams in ((well,), (well, failing)):
        status = OrgStatus(Org(ORG, "Grace", None), Health("connected", None, (), 0), streams)
        _print_detail(status, everything=False, only_failing=True)
        told.append(capsys.readouterr())
    assert "people.well" not in told[0].out + told[1].out
    assert "no stream of it fails" in told[0].err and "synced yet" not in told[0].err
    assert "people.bad" in told[1].out and "no stream of it fails" not in told[1].err
