"""Options of `sync` that exclude each other, and the display of a plan: values of fields only on request."""

import pytest

from openfaith_pipeline.cli.plans import describe_plan, unplanned_of
from openfaith_pipeline.cli.running import IfBusy
from openfaith_pipeline.cli.sync import sync
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.journal.sync_changes import Sample, StreamChanges
from openfaith_pipeline.sync.plan import OrgPlan
from openfaith_pipeline.sync.results import StreamResult

PLAN = OrgPlan(
    {
        "people.emails": StreamResult("people.emails", "planned", "incremental", updated=1),
        "people.tabs": StreamResult("people.tabs", "failed", "incremental", error="it broke"),
        "people.forms": StreamResult("people.forms", "unavailable", "incremental", error="forbidden"),
    },
    {
        "people.emails": StreamChanges({"update": 1}, [Sample("7", "update", {"address": ("old@x.org", "new@x.org")})]),
        "people.people": StreamChanges({"merge": 1}, [Sample("8", "merge", {})]),
    },
)


@pytest.mark.parametrize(
    ("options", "mend"),
    [
        ({"apply": "x", "discard": "x"}, "give one of"),
        ({"apply": "x", "plan": True, "orgs": ["org_x"]}, "give one of"),
        ({"apply": "x", "stream": ["people.tabs"]}, "pass --apply or --discard without other choices"),
        ({"discard": "x", "every_org": True}, "pass --apply or --discard without other choices"),
        ({"show_values": True, "every_org": True}, "--show-values goes with --plan"),
        ({"plan": True, "orgs": ["org_x"], "if_busy": IfBusy.WAIT}, "are of a sync"),
        ({"apply": "x", "idempotency_key": "nightly"}, "are of a sync"),
        ({"discard": "x", "anew": True}, "are of a sync"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, object], mend: str) -> None:
    with pytest.raises(UsageError, match=mend):
        sync(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("show_values", [False, True])
def test_values_are_shown_only_on_request(show_values: bool) -> None:
    document = describe_plan("sync", "org", PLAN, show_values=show_values)
    streams = document["orgs"]["org"]["streams"]
    assert ("new@x.org" in str(document)) is show_values
    assert list(streams["people.emails"]["samples"][0]["fields"]) == ["address"]
    assert streams["people.people"]["status"] == "touched"
    assert streams["people.people"]["changes"] == {"insert": 0, "update": 0, "delete": 0, "restore": 0, "merge": 1}
    assert document["status"] == "failed"
    assert unplanned_of(PLAN) == ["people.tabs"], "what is withheld is not a failure of the plan"
